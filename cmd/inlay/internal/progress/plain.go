package progress

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
)

// plain writes lines for a log: one for a step that ended, and one now and then
// for what takes long.
type plain struct {
	mu    sync.Mutex
	w     io.Writer
	steps bool
	board *board
	tick  ticker
	text  bytes.Buffer // to be written
}

// often is how often a log gets a line of something that goes on.
const often = 5 * time.Second

func newPlain(w io.Writer, steps bool) *plain {
	return &plain{w: w, steps: steps, board: newBoard()}
}

// Event writes what the event is worth.
func (p *plain) Event(ev engine.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tick.start(time.Second, p.look)
	switch e := ev.(type) {
	case engine.StepStarted:
		p.board.begin(e)
	case engine.Uncached:
		p.board.uncached(e)
	case engine.FromCache:
		p.board.fromCache(e)
	case engine.StepEnded:
		p.ended(e)
	case engine.Output:
		s := p.board.of(e.Step)
		s.stream(e).Add(e.Data, func(line string) { p.said(s, line) })
	case engine.Progress:
		p.board.progress(e)
	case engine.Replaced:
		p.warn(p.board.replaced(e))
	case engine.LeftOut:
		p.warn(leftOut(e))
	case engine.TerminalOpened:
		p.note(p.board.opened(e))
	case engine.TerminalClosed:
		p.note(p.board.closed(e))
	case engine.NotKept:
		p.warn(p.board.notKept(e))
	case engine.Lost:
		p.warn(p.board.lost(e))
	case engine.CacheTold:
		p.warn(cacheTold(e))
	}
	p.flush()
}

func (p *plain) ended(e engine.StepEnded) {
	s := p.board.end(e)
	for i := range s.streams {
		s.streams[i].Flush(func(line string) { p.said(s, line) })
	}
	p.warn(s.more())
	if !p.steps && !s.said {
		return
	}
	text := state(e)
	switch text {
	case "failed":
		text += " after " + show.Seconds(e.Took)
	case "done":
		text += " " + show.Seconds(e.Took)
	}
	p.printf("%s%s: %s%s\n", s.name(), s.call, text, s.reason())
}

func (p *plain) printf(format string, args ...any) { fmt.Fprintf(&p.text, format, args...) }

// flush writes what is to be written, at once.
func (p *plain) flush() {
	if p.text.Len() > 0 {
		_, _ = p.w.Write(p.text.Bytes()) // there is nobody else to tell
		p.text.Reset()
	}
}

// warn writes a warning, if there is one.
func (p *plain) warn(text string) {
	if text != "" {
		p.printf("%s\n", text)
	}
}

// note writes a line of a step, if there is one.
func (p *plain) note(s *step, text string) {
	if s != nil {
		fmt.Fprintf(p.w, "%s%s\n", s.name(), text)
	}
}

// said writes a line of a process.
func (p *plain) said(s *step, line string) {
	p.announce(s)
	p.text.WriteString(s.name())
	p.text.WriteString("| ")
	p.text.WriteString(line)
	p.text.WriteByte('\n')
}

// announce writes which step the lines with its number are of.
func (p *plain) announce(s *step) {
	if !s.said && s.number > 0 {
		p.printf("%s%s%s\n", s.name(), s.call, s.reason())
	}
	s.said = true
}

// look writes of what takes long.
func (p *plain) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.board.lent {
		return
	}
	now := p.board.now()
	for _, s := range p.board.order {
		wait := often
		if !s.said {
			wait = time.Second
		}
		if now.Sub(s.told) < wait {
			continue
		}
		s.told = now
		p.announce(s)
		for _, g := range s.parts {
			p.printf("%s%s, %s\n", s.name(), part(g), show.Seconds(now.Sub(s.started)))
		}
		if len(s.parts) == 0 && s.number > 0 {
			p.printf("%s%s so far\n", s.name(), show.Seconds(now.Sub(s.started)))
		}
	}
	p.flush()
}

// Output tells that processes are heard.
func (p *plain) Output() bool { return true }

// Pause ends what is no step.
func (p *plain) Pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.board.settle()
}

// Close ends the watching.
func (p *plain) Close() { p.tick.end() }
