// Package progress shows on standard error what goes on.
//
// A [Display] is an engine.Sink that shows events in one of four ways: as a few
// live lines below what was written (tty), as lines for a log (plain), as one
// JSON object for each event (json), or not at all (quiet). What takes under a
// second is not worth a line, except for the steps of a pipeline. docs/progress.md
// shows them all, and is the reference of json.
package progress

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"golang.org/x/term"
)

// Mode is a way to show events.
type Mode string

// The modes. Auto is TTY on a terminal and Plain elsewhere.
const (
	Auto  Mode = "auto"
	TTY   Mode = "tty"
	Plain Mode = "plain"
	JSON  Mode = "json"
	Quiet Mode = "quiet"
)

// Modes gives all modes, as help lists them.
func Modes() []string {
	return []string{string(Auto), string(TTY), string(Plain), string(JSON), string(Quiet)}
}

// ParseMode reads a mode.
func ParseMode(s string) (Mode, error) {
	if !slices.Contains(Modes(), s) {
		return "", fmt.Errorf("--progress %s: want auto, tty, plain, json or quiet", s)
	}
	return Mode(s), nil
}

// Display shows events.
type Display interface {
	engine.Sink
	// Output tells whether what processes say is shown.
	Output() bool
	// Pause takes live lines away, so that something else can be written.
	Pause()
	// Close shows what is left to be shown.
	Close()
}

// New gives a display that writes to w. With steps, every step gets a line;
// otherwise only those that take a while.
func New(m Mode, w *os.File, steps bool) Display {
	if m == Auto {
		m = Plain
		if IsTerminal(w) {
			m = TTY
		}
	}
	switch m {
	case TTY:
		return &held{Display: newLive(w, func() (int, int) { return screen(w) }, steps)}
	case JSON:
		return &jsonLines{w: w}
	case Quiet:
		return quiet{}
	}
	return &held{Display: newPlain(w, steps)}
}

// IsTerminal tells whether live lines can be drawn on f.
func IsTerminal(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

func screen(f *os.File) (width, height int) {
	width, height, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 || height < 4 {
		return 80, 24
	}
	return width, height
}

type quiet struct{}

func (quiet) Event(engine.Event) {}
func (quiet) Output() bool       { return false }
func (quiet) Pause()             {}
func (quiet) Close()             {}

// ticker calls f now and then, from the first event until it is stopped. It is
// started late, because most commands end before anything is worth drawing.
type ticker struct {
	once sync.Once
	stop chan struct{}
	done chan struct{}
}

func (t *ticker) start(every time.Duration, f func()) {
	t.once.Do(func() {
		t.stop, t.done = make(chan struct{}), make(chan struct{})
		go func() {
			defer close(t.done)
			tick := time.NewTicker(every)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					f()
				case <-t.stop:
					return
				}
			}
		}()
	})
}

func (t *ticker) end() {
	t.once.Do(func() {})
	if t.stop != nil {
		close(t.stop)
		<-t.done
		t.stop = nil
	}
}
