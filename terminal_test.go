package inlay_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/console"
	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"golang.org/x/sys/unix"
)

// onTerminal gives a client whose person has a terminal, and what is written there
// when the client is done.
func onTerminal(t *testing.T) (*inlay.Client, func() string) {
	t.Helper()
	ours, path, err := console.NewPty()
	if err != nil {
		t.Skipf("needs terminals: %v", err)
	}
	theirs, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := inlay.Open(t.Context(), inlay.Options{
		Store: filepath.Join(t.TempDir(), "store"), Terminal: embedded.Streams{Stdin: theirs, Stdout: theirs},
	})
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(ours) // ends with EIO, when nobody has the other side
		written <- string(b)
	}()
	return c, func() string {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
		theirs.Close()
		defer ours.Close()
		return <-written
	}
}

func TestATerminalIsOpenedOnceAndThingsGoOn(t *testing.T) {
	sh := shell(t).WithEnv("WHO", "me").WithMountedTemp("/temp")
	c, written := onTerminal(t)
	ctx := t.Context()
	args := []string{"sh", "-c", "echo $WHO is in $(busybox ls -d /temp); echo changed > /f; exit 5"}
	kept := sh.WithTerminal(inlay.TerminalOptions{Args: args, Keep: true})
	for range 2 {
		if b, err := kept.File("/f").Contents(ctx, c); err != nil || string(b) != "changed\n" {
			t.Errorf("%q, %v", b, err)
		}
	}
	if out, err := kept.WithExec([]string{"/bin/busybox", "cat", "/f"}).Stdout(ctx, c); err != nil || out != "changed\n" {
		t.Errorf("%q, %v", out, err)
	}
	thrown := sh.WithTerminal(inlay.TerminalOptions{Args: args})
	a, err := thrown.Root().Digest(ctx, c)
	b, err2 := sh.Root().Digest(ctx, c)
	if err != nil || err2 != nil || a != b {
		t.Error("what was not kept is in the result", err, err2)
	}
	if got := written(); got != strings.Repeat("me is in /temp\r\n", 2) {
		t.Errorf("the terminal shows %q", got)
	}
}

func TestWithoutATerminalNoneIsOpened(t *testing.T) {
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer in.Close()
	c, err := inlay.Open(t.Context(), inlay.Options{
		Store: filepath.Join(t.TempDir(), "store"), Terminal: embedded.Streams{Stdin: out, Stdout: in},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	_, err = inlay.Scratch().Container().WithTerminal().Root().Digest(t.Context(), c)
	if !errors.Is(err, engine.ErrNoTerminal) || !strings.HasPrefix(err.Error(), "WithTerminal(): ") {
		t.Error(err)
	}
}
