//go:build linux

package runtime_test

import (
	"os"
	"strings"
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
