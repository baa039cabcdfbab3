package progress

import (
	"fmt"
	"strings"
	"sync"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
)

// held is a display that writes nothing as long as a process has the terminal, and
// then what was to be written meanwhile. A flood of what other processes say is
// left out.
type held struct {
	Display

	mu    sync.Mutex
	lent  bool
	queue []engine.Event
}

// maxHeld is how many events wait for the terminal.
const maxHeld = 10_000

// Event passes the event on, or keeps it for later.
func (h *held) Event(ev engine.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch ev.(type) {
	case engine.TerminalOpened:
		h.Display.Event(ev)
		h.lent = true
		return
	case engine.TerminalClosed:
		h.lent = false
		h.Display.Event(ev)
		for _, ev := range h.queue {
			h.Display.Event(ev)
		}
		h.queue = nil
		return
	case engine.Output, engine.Progress:
		if h.lent && len(h.queue) >= maxHeld {
			return
		}
	}
	if h.lent {
		h.queue = append(h.queue, ev)
		return
	}
	h.Display.Event(ev)
}

// opened gives a step and a line of what it opens; nil for what is no step, whose
// user knows.
func (b *board) opened(e engine.TerminalOpened) (*step, string) {
	b.lent = true
	if e.Step < 0 {
		return nil, ""
	}
	s := b.of(e.Step)
	return s, s.call + ": opening " + show.Clean(strings.Join(e.Args, " "), false)
}

// closed gives a step and a line of how what it opened ended; nil for what is no
// step.
func (b *board) closed(e engine.TerminalClosed) (*step, string) {
	b.lent = false
	if e.Step < 0 {
		return nil, ""
	}
	s := b.of(e.Step)
	text := s.call + ": " + show.Clean(e.Left.Outcome(), false)
	switch {
	case e.Left.Changed == 0:
	case e.Left.Kept:
		text += fmt.Sprintf("; going on with %s changed", show.Plural(e.Left.Changed, "path"))
	case e.Left.Away:
		text += fmt.Sprintf("; %s changed, and not kept, as --keep would have done", show.Plural(e.Left.Changed, "path"))
	default:
		text += fmt.Sprintf("; %s changed, and not kept, as --keep would have done. Until `inlay gc`:\n    inlay diff last@%d %s",
			show.Plural(e.Left.Changed, "path"), e.Step, e.Left.Tree.Digest())
	}
	return s, text
}
