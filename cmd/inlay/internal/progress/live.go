package progress

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
)

// live draws a few lines below what was written, and takes them away again.
// Nothing that was written before is touched.
type live struct {
	mu     sync.Mutex
	w      io.Writer
	screen func() (width, height int)
	steps  bool
	board  *board
	tick   ticker
	drawn  int // live lines on the screen
	frame  int
}

// young is how long something goes on before it is drawn.
const young = 300 * time.Millisecond

func newLive(w io.Writer, screen func() (int, int), steps bool) *live {
	return &live{w: w, screen: screen, steps: steps, board: newBoard()}
}

// Event notes the event, and writes what is to stay.
func (l *live) Event(ev engine.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tick.start(100*time.Millisecond, l.redraw)
	switch e := ev.(type) {
	case engine.StepStarted:
		l.board.begin(e)
	case engine.StepEnded:
		s := l.board.end(e)
		for i := range s.streams {
			s.streams[i].flush(func(line string) { l.said(s, line) })
		}
		l.warn(s.more())
		if l.steps || s.said {
			l.write(fmt.Sprintf("%s%s \x1b[2m%s\x1b[0m", mark(e), s.call, outcome(e)))
		}
	case engine.Output:
		s := l.board.of(e.Step)
		stream := 0
		if e.Stderr {
			stream = 1
		}
		s.streams[stream].add(e.Data, func(line string) { l.said(s, line) })
	case engine.Progress:
		l.board.progress(e)
	case engine.Replaced:
		l.warn(l.board.replaced(e))
	case engine.LeftOut:
		l.warn(leftOut(e))
	case engine.TerminalOpened:
		l.note(l.board.opened(e))
	case engine.TerminalClosed:
		l.note(l.board.closed(e))
	case engine.NotKept:
		l.warn(l.board.notKept(e))
	}
}

func mark(e engine.StepEnded) string {
	if e.Err != nil {
		return "\x1b[31m✗\x1b[0m "
	}
	return "\x1b[32m✓\x1b[0m "
}

func (l *live) said(s *step, line string) {
	if !s.said && s.number > 0 {
		l.write("  " + s.call)
	}
	s.said = true
	l.write("  \x1b[2m│\x1b[0m " + show.Clean(line, true))
}

// warn writes a warning, if there is one.
func (l *live) warn(text string) {
	if text != "" {
		l.write("\x1b[33m" + text + "\x1b[0m")
	}
}

// note writes a line of a step, if there is one, below which there are no live
// lines.
func (l *live) note(s *step, text string) {
	l.erase()
	if s != nil {
		l.write("  " + text)
	}
}

// write puts a line above the live ones, to stay.
func (l *live) write(line string) {
	l.erase()
	fmt.Fprintln(l.w, line)
}

// erase takes the live lines away.
func (l *live) erase() {
	if l.drawn > 0 {
		fmt.Fprintf(l.w, "\r\x1b[%dA\x1b[J", l.drawn)
		l.drawn = 0
	}
}

// redraw draws the live lines anew, in one write.
func (l *live) redraw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.board.lent {
		return
	}
	var b bytes.Buffer
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\r\x1b[%dA\x1b[J", l.drawn)
	}
	width, height := l.screen()
	text := l.lines(min(8, height-2))
	for _, line := range text {
		b.WriteString(cut(line, width-1) + "\n")
	}
	l.drawn = len(text)
	if b.Len() > 0 {
		l.w.Write(b.Bytes())
	}
}

// lines gives the live lines: the newest steps that are not young any more,
// with how far they are.
func (l *live) lines(most int) []string {
	l.frame++
	spin := []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")[l.frame%10]
	now := l.board.now()
	var out []string
	for _, s := range l.board.order {
		took := now.Sub(s.started)
		if took < young {
			continue
		}
		if s.number > 0 {
			out = append(out, fmt.Sprintf("%c %s %s", spin, show.Seconds(took), s.call))
		}
		for _, p := range s.parts {
			if s.number > 0 {
				out = append(out, "  "+part(p))
			} else {
				out = append(out, fmt.Sprintf("%c %s %s", spin, show.Seconds(took), part(p)))
			}
		}
	}
	if len(out) > most {
		more := len(out) - most + 1
		out = append(out[:most-1], fmt.Sprintf("  and %d more", more))
	}
	return out
}

func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	r := []rune(s)
	return string(r[:width-1]) + "…"
}

// Output tells that processes are heard.
func (l *live) Output() bool { return true }

// Pause takes the live lines away until the next event or tick, and ends what is
// no step.
func (l *live) Pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erase()
	l.board.settle()
}

// Close takes the live lines away.
func (l *live) Close() {
	l.tick.end()
	l.Pause()
}
