//go:build linux

package terminal_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/containerd/console"
	"github.com/inlaybuild/inlay/internal/terminal"
	"golang.org/x/sys/unix"
)

// TestMain is also the client that is killed with a terminal in its hands.
func TestMain(m *testing.M) {
	if program := os.Getenv("INLAY_TEST_TAKES"); program != "" {
		t, ok := terminal.Of(os.Stdin, os.Stdin)
		if !ok {
			os.Exit(2)
		}
		if _, err := t.Take(program); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		fmt.Println("taken")
		time.Sleep(time.Minute)
		os.Exit(4)
	}
	os.Exit(m.Run())
}

// program builds inlay-runc.
func program(t *testing.T) string {
	path := os.Getenv("INLAY_RUNC")
	if path == "" {
		path = filepath.Join(t.TempDir(), "inlay-runc")
		if out, err := exec.Command("go", "build", "-tags", "seccomp", "-o", path, "../runtime/inlay-runc").CombinedOutput(); err != nil {
			t.Skipf("needs inlay-runc, which cannot be built: %v\n%s", err, out)
		}
	}
	return path
}

// pty gives both sides of a terminal.
func pty(t *testing.T) (ours console.Console, theirs *os.File) {
	t.Helper()
	ours, path, err := console.NewPty()
	if err != nil {
		t.Skipf("needs terminals: %v", err)
	}
	t.Cleanup(func() { ours.Close() })
	if theirs, err = os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}

func settings(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	s, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *s
}

func TestATerminalIsPutBack(t *testing.T) {
	path := program(t)
	ours, theirs := pty(t)
	before := settings(t, theirs)
	term, ok := terminal.Of(theirs, theirs)
	if !ok {
		t.Fatal("it is a terminal")
	}
	taken, err := term.Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if s := settings(t, theirs); s.Lflag&(unix.ECHO|unix.ISIG|unix.ICANON) != 0 || s.Oflag&unix.OPOST != 0 {
		t.Errorf("it is not raw: %+v", s)
	}
	keys := make(chan string)
	go func() {
		b, err := io.ReadAll(taken)
		keys <- fmt.Sprintf("%q %v", b, err)
	}()
	fmt.Fprint(ours, "a\x03\x1a")
	time.Sleep(50 * time.Millisecond)
	if _, err := taken.Write([]byte("\x1b[31mout")); err != nil || taken.Next() != "\n" {
		t.Errorf("%v, %q", err, taken.Next())
	}
	if err := taken.Release(); err != nil {
		t.Fatal(err)
	}
	if got := <-keys; got != `"a\x03\x1a" <nil>` {
		t.Errorf("read %s", got)
	}
	if after := settings(t, theirs); after != before {
		t.Errorf("%+v, want %+v", after, before)
	}
	// What is typed now is the next reader's, and nothing was written to the
	// terminal but what was said.
	fmt.Fprint(ours, "next\n")
	b := make([]byte, 100)
	if n, err := theirs.Read(b); err != nil || string(b[:n]) != "next\n" {
		t.Errorf("%q, %v", b[:n], err)
	}
	const want = "\x1b[31moutnext\r\n"
	if n, err := io.ReadAtLeast(ours, b, len(want)); err != nil || string(b[:n]) != want {
		t.Errorf("%q, %v", b[:n], err)
	}
}

func TestFilesThatAreNoTerminal(t *testing.T) {
	_, theirs := pty(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for _, pair := range [][2]*os.File{{r, theirs}, {theirs, w}, {nil, theirs}, {theirs, nil}} {
		if _, ok := terminal.Of(pair[0], pair[1]); ok {
			t.Error("it is no terminal")
		}
	}
}

func TestATerminalOfAKilledClientIsPutBack(t *testing.T) {
	path := program(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, changed := range []bool{false, true} {
		_, theirs := pty(t)
		want := settings(t, theirs)
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "INLAY_TEST_TAKES="+path)
		cmd.Stdin, cmd.Stderr = theirs, os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, len("taken\n"))); err != nil {
			t.Fatal(err)
		}
		if settings(t, theirs) == want {
			t.Error("it was not taken")
		}
		if changed { // by the shell, which does it before we are dead
			want.Lflag &^= unix.ECHO
			if err := unix.IoctlSetTermios(int(theirs.Fd()), unix.TCSETS, &want); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		for end := time.Now().Add(10 * time.Second); settings(t, theirs) != want || changed; time.Sleep(10 * time.Millisecond) {
			if changed && time.Now().After(end.Add(-9500*time.Millisecond)) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("it was not put back: %+v, want %+v", settings(t, theirs), want)
			}
		}
		if settings(t, theirs) != want {
			t.Error("what somebody else has set is gone")
		}
	}
}
