//go:build linux

package terminal

import (
	"fmt"
	"os"
	"os/signal"
	"sync"

	"github.com/inlaybuild/inlay/internal/runtime"
	"golang.org/x/sys/unix"
)

// Terminal is the terminal of a person.
type Terminal struct {
	in, out *os.File
}

// Of gives the terminal that both files are, or are parts of; false when one is no
// terminal.
func Of(in, out *os.File) (*Terminal, bool) {
	if !Is(in) || !Is(out) {
		return nil, false
	}
	return &Terminal{in, out}, true
}

// Is tells whether a file is a terminal.
func Is(f *os.File) bool {
	if f == nil {
		return false
	}
	_, err := termios(f)
	return err == nil
}

// Taken is a terminal whose every key goes to a process.
type Taken struct {
	*Keys
	terminal   *Terminal
	saved, raw unix.Termios
	watcher    *watcher
	cursor     Cursor
	sizes      chan runtime.Size
	signals    chan os.Signal
	followed   sync.WaitGroup
}

// Take makes the terminal raw. The program is inlay-runc, which puts the terminal
// back should this process be killed. Call Release in the end.
func (t *Terminal) Take(program string) (*Taken, error) {
	saved, err := termios(t.in)
	if err != nil {
		return nil, fmt.Errorf("the terminal: %w", err)
	}
	taken := &Taken{
		terminal: t, saved: *saved, raw: raw(*saved),
		sizes: make(chan runtime.Size, 1), signals: make(chan os.Signal, 1),
	}
	if taken.Keys, err = NewKeys(t.in); err != nil {
		return nil, err
	}
	if taken.watcher, err = watch(program, t.in, taken.saved, taken.raw); err != nil {
		taken.Keys.Close()
		return nil, err
	}
	signal.Notify(taken.signals, unix.SIGWINCH, unix.SIGCONT)
	if err := setTermios(t.in, &taken.raw); err != nil {
		taken.Release()
		return nil, fmt.Errorf("the terminal: %w", err)
	}
	taken.followed.Go(taken.follow)
	return taken, nil
}

// Release puts the terminal back. All that was written to it has been written
// before.
func (t *Taken) Release() error {
	signal.Stop(t.signals)
	close(t.signals)
	t.followed.Wait()
	t.Keys.Close()
	err := setTermios(t.terminal.in, &t.saved)
	t.watcher.end()
	if err != nil {
		return fmt.Errorf("put the terminal back: %w", err)
	}
	return nil
}

// Write writes to the terminal.
func (t *Taken) Write(b []byte) (int, error) {
	_, _ = t.cursor.Write(b)
	return t.terminal.out.Write(b)
}

// Next gives what to write so that what comes then gets a line of its own, below
// all that there is. Call it when nobody writes.
func (t *Taken) Next() string { return t.cursor.Next() }

// Size gives the size of the terminal.
func (t *Taken) Size() runtime.Size {
	size, err := unix.IoctlGetWinsize(int(t.terminal.out.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return runtime.Size{}
	}
	return runtime.Size{Width: size.Col, Height: size.Row}
}

// Sizes gives the size whenever it changes: the newest, when several have come
// since it was asked.
func (t *Taken) Sizes() <-chan runtime.Size { return t.sizes }

// follow follows changes of the size. Who was stopped and goes on finds the
// terminal as the shell has left it: it is made raw again.
func (t *Taken) follow() {
	for s := range t.signals {
		if s == unix.SIGCONT {
			_ = setTermios(t.terminal.in, &t.raw)
		}
		select {
		case <-t.sizes: // nobody has asked for it yet
		default:
		}
		t.sizes <- t.Size()
	}
}

// Guard has a terminal put back should this process be killed while a line is edited
// on it, which makes it raw but for its output. The program is inlay-runc. Call end
// when no line is edited any more.
func Guard(program string, in *os.File) (end func(), err error) {
	saved, err := termios(in)
	if err != nil {
		return nil, fmt.Errorf("the terminal: %w", err)
	}
	edited := raw(*saved)
	edited.Oflag = saved.Oflag
	w, err := watch(program, in, *saved, edited)
	if err != nil {
		return nil, err
	}
	return w.end, nil
}
