//go:build linux

package runtime_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/runtime"
)

func TestTerminal(t *testing.T) {
	e := newEnv(t)
	var out writer
	sizes := make(chan runtime.Size, 1)
	out.on = func(s string) {
		if strings.Contains(s, "ready") && len(sizes) == 0 {
			select {
			case sizes <- runtime.Size{Width: 132, Height: 43}:
			default:
			}
		}
	}
	p := e.process("tty; stty size; ls -l /dev/console | cut -c1; test -t 0 && test -t 1 && test -t 2 && echo tty; echo ready; for i in 1 2 3 4 5 6 7 8 9; do stty size; sleep 0.1; done; printf LAST-NO-EOL; exit 7")
	p.Terminal = &runtime.Terminal{Width: 100, Height: 30, Resize: sizes}
	p.Stdout = &out
	exit, err := runtime.Run(t.Context(), e.config, p)
	if err != nil || exit.Code != 7 {
		t.Fatal(exit, err)
	}
	s := out.String()
	for _, want := range []string{"/dev/pts/0\r\n30 100\r\n", "\r\ntty\r\n", "\r\n43 132\r\n"} {
		if !strings.Contains(s, want) {
			t.Errorf("%q is missing in %q", want, s)
		}
	}
	if !strings.HasSuffix(s, "LAST-NO-EOL") {
		t.Errorf("the last words are lost: %q", s)
	}
}

func TestTerminalInput(t *testing.T) {
	e := newEnv(t)
	in, keys, err := os.Pipe()
	must(t, err)
	defer keys.Close()
	defer in.Close()
	var out writer
	typed, pressed := false, false
	out.on = func(s string) {
		if strings.Contains(s, "name?") && !typed {
			typed = true
			_, _ = keys.WriteString("bob\r")
		}
		if strings.Contains(s, "hello bob") && !pressed {
			pressed = true                  // once: the terminal echoes it, which calls us again
			_, _ = keys.WriteString("\x03") // ^C
		}
	}
	p := e.process("trap 'echo interrupted; exit 5' INT; echo 'name?'; read n; echo hello $n; while :; do sleep 0.05; done")
	p.Terminal, p.Stdin, p.Stdout = &runtime.Terminal{}, in, &out
	exit, err := runtime.Run(t.Context(), e.config, p)
	if err != nil || exit.Code != 5 || !strings.Contains(out.String(), "interrupted") {
		t.Fatalf("%v, %v, %q", exit, err, out.String())
	}
}

func TestTerminalOfAProgramThatIsNotThere(t *testing.T) {
	e := newEnv(t)
	p := e.process("")
	p.Args = []string{"/bin/absent"}
	p.Terminal = &runtime.Terminal{}
	started := time.Now()
	if _, err := runtime.Run(t.Context(), e.config, p); err == nil || time.Since(started) > 5*time.Second {
		t.Fatal(err, time.Since(started))
	}
}

// A process may let go of its terminal and take it again.
func TestTerminalThatIsClosedAndOpenedAgain(t *testing.T) {
	e := newEnv(t)
	var out writer
	p := e.process("echo one; exec </dev/null >/dev/null 2>&1; sleep 0.2; echo two >/dev/console; sleep 0.1; printf three >/dev/console; exit 3")
	p.Terminal, p.Stdout = &runtime.Terminal{}, &out
	exit, err := runtime.Run(t.Context(), e.config, p)
	if err != nil || exit.Code != 3 || out.String() != "one\r\ntwo\r\nthree" {
		t.Errorf("%v, %v, %q", exit, err, out.String())
	}
}

// What a process that lives for a moment says is not lost.
func TestTerminalOfAShortLife(t *testing.T) {
	e := newEnv(t)
	want := strings.Repeat("x", 3000)
	for range 5 {
		var out writer
		p := e.process("printf " + want + "; sleep 1000 & exit 7") // what is left behind holds the terminal
		p.Terminal, p.Stdout = &runtime.Terminal{}, &out
		exit, err := runtime.Run(t.Context(), e.config, p)
		if err != nil || exit.Code != 7 || out.String() != want {
			t.Fatalf("%v, %v, %d bytes", exit, err, len(out.String()))
		}
	}
}

func TestManyResizes(t *testing.T) {
	e := newEnv(t)
	sizes := make(chan runtime.Size)
	go func() {
		for i := range 100_000 {
			sizes <- runtime.Size{Width: uint16(20 + i%80), Height: 24}
		}
		sizes <- runtime.Size{Width: 77, Height: 33}
		close(sizes)
	}()
	var out writer
	p := e.process("until [ \"$(stty size)\" = '33 77' ]; do sleep 0.02; done; echo done")
	p.Terminal, p.Stdout = &runtime.Terminal{Resize: sizes}, &out
	exit, err := runtime.Run(t.Context(), e.config, p)
	if err != nil || exit.Code != 0 || out.String() != "done\r\n" {
		t.Errorf("%v, %v, %q", exit, err, out.String())
	}
}

func TestSignalsArePassedOn(t *testing.T) {
	e := newEnv(t)
	signals := make(chan syscall.Signal, 1)
	var out writer
	out.on = func(s string) {
		if strings.HasSuffix(s, "ready\n") {
			signals <- syscall.SIGINT
		}
	}
	p := e.process("trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.05; done")
	p.Stdout, p.Signals = &out, signals
	exit, err := runtime.Run(t.Context(), e.config, p)
	if err != nil || exit.Code != 5 || out.String() != "ready\ninterrupted\n" {
		t.Errorf("%v, %v, %q", exit, err, out.String())
	}
}

// The first process of a pid namespace hears only what it has a handler for: that
// would be a sleep that ^C does not end.
func TestAnOrdinaryProcessIsEndedBySignalsAndOrphansAreWaitedFor(t *testing.T) {
	e := newEnv(t)
	for _, onTerminal := range []bool{true, false} {
		signals := make(chan syscall.Signal, 1)
		var out writer
		out.on = func(s string) {
			if strings.HasSuffix(s, "ready\n") {
				signals <- syscall.SIGINT
			}
		}
		p := e.process("(sleep 0.05 &); sleep 0.2; cat /proc/[1-9]*/stat 2>/dev/null | grep -c ') Z '; ls -A /proc/1 | wc -l; echo ready; exec sleep 100")
		p.Stdout, p.Signals, p.Ordinary = &out, signals, true
		if onTerminal { // whose own signal it is
			in, keys, err := os.Pipe()
			must(t, err)
			defer in.Close()
			out.on = func(s string) {
				if strings.HasSuffix(s, "ready\r\n") {
					time.AfterFunc(100*time.Millisecond, func() { _, _ = keys.WriteString("\x03") })
				}
			}
			p.Terminal, p.Stdin, p.Signals = &runtime.Terminal{}, in, nil
		}
		exit, err := runtime.Run(t.Context(), e.config, p)
		if err != nil || exit.Signal != syscall.SIGINT || exit.Code != 130 || !strings.HasPrefix(strings.ReplaceAll(out.String(), "\r", ""), "0\n0\nready\n") {
			t.Errorf("%v, %v, %q", exit, err, out.String())
		}
		if left := e.leftovers(); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
}
