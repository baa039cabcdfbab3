package progress

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/clipperhouse/displaywidth"
	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
)

// live draws a few lines below what was written, and takes them away again, in
// the look of docker buildx. Nothing that was written before is touched, and
// unlike there all that processes say stays.
type live struct {
	mu     sync.Mutex
	w      io.Writer
	screen func() (width, height int)
	steps  bool
	plain  bool // without colours of our own
	board  *board
	tick   ticker
	text   bytes.Buffer // lines to be written, to stay
	drawn  int          // live lines on the screen
	since  time.Time    // the first event
}

// young is how long something goes on before it is drawn.
const young = 300 * time.Millisecond

// The colours of buildx.
const (
	blue   = "34"
	red    = "31"
	yellow = "33"
	faint  = "2"
)

func newLive(w io.Writer, screen func() (int, int), steps bool) *live {
	return &live{w: w, screen: screen, steps: steps, plain: os.Getenv("NO_COLOR") != "", board: newBoard()}
}

// Event notes the event, and writes what is to stay.
func (l *live) Event(ev engine.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.IsZero() {
		l.since = l.board.now()
	}
	l.tick.start(100*time.Millisecond, l.redraw)
	switch e := ev.(type) {
	case engine.StepStarted:
		l.board.begin(e)
	case engine.Uncached:
		l.board.uncached(e)
	case engine.FromCache:
		l.board.fromCache(e)
	case engine.StepEnded:
		l.ended(e)
	case engine.Output:
		s := l.board.of(e.Step)
		s.stream(e).Add(e.Data, func(line string) { l.said(s, line) })
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
	case engine.Lost:
		l.warn(l.board.lost(e))
	case engine.CacheTold:
		l.warn(cacheTold(e))
	}
	l.flush()
}

// ended writes how a step ended.
func (l *live) ended(e engine.StepEnded) {
	s := l.board.end(e)
	for i := range s.streams {
		s.streams[i].Flush(func(line string) { l.said(s, line) })
	}
	l.warn(s.more())
	if !l.steps && !s.said {
		return
	}
	mark, colour := "", blue
	switch state(e) {
	case "cached":
		mark = "CACHED "
	case "failed":
		mark, colour = "ERROR ", red
	case "canceled":
		mark, colour = "CANCELED ", yellow
	}
	width, _ := l.screen()
	l.write(colour, row(" => "+mark+s.call+s.reason(), show.Seconds(e.Took), width-1))
}

// said writes a line of a process.
func (l *live) said(s *step, line string) {
	if !s.said && s.number > 0 {
		l.write("", " => "+s.call+s.reason())
	}
	s.said = true
	l.text.WriteString(l.painted(faint, " => => # "))
	l.text.WriteString(line)
	l.text.WriteByte('\n')
}

// warn writes a warning, if there is one.
func (l *live) warn(text string) {
	if text != "" {
		l.write(yellow, text)
	}
}

// note writes a line of a step, if there is one, below which there are no live
// lines.
func (l *live) note(s *step, text string) {
	if s != nil {
		l.write("", " => "+text)
	}
	l.draw(nil)
}

// write puts a line above the live ones, to stay.
func (l *live) write(colour, line string) { l.text.WriteString(l.painted(colour, line) + "\n") }

// painted gives text in a colour.
func (l *live) painted(colour, text string) string {
	if colour == "" || l.plain {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// flush writes lines above the live ones, if there are any.
func (l *live) flush() {
	switch {
	case l.text.Len() == 0:
	case l.drawn > 0:
		l.draw(l.lines(l.size()))
	default:
		l.draw(nil)
	}
}

// size is how wide live lines may be, and how many there may be beside the first.
func (l *live) size() (width, most int) {
	width, height := l.screen()
	return width - 1, min(10, height-2)
}

// draw writes what is to stay in the place of the live lines, and then live
// lines, all at once.
func (l *live) draw(lines []string) {
	var b bytes.Buffer
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\r\x1b[%dA\x1b[J", l.drawn)
	}
	b.Write(l.text.Bytes())
	l.text.Reset()
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	l.drawn = len(lines)
	if b.Len() > 0 {
		_, _ = l.w.Write(b.Bytes()) // there is nobody else to tell
	}
}

// redraw draws the live lines anew.
func (l *live) redraw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.board.lent {
		return
	}
	l.draw(l.lines(l.size()))
}

// lines gives the live lines: how far all is, and the newest steps that are not
// young any more, with how far they are and the line that their processes write.
func (l *live) lines(width, most int) []string {
	now := l.board.now()
	var out []string
	steps := false
	for _, s := range l.board.order {
		took := now.Sub(s.started)
		if took < young {
			continue
		}
		if s.number > 0 {
			steps = true
			out = append(out, fit(" => "+s.call, show.Seconds(took), width))
		}
		for _, p := range s.parts {
			if s.number > 0 {
				out = append(out, cut(" => => "+part(p), width))
			} else {
				out = append(out, fit(" => "+part(p), show.Seconds(took), width))
			}
		}
		for i := range s.streams {
			if line := s.streams[i].Current(width); line != "" {
				out = append(out, l.painted(faint, " => => # ")+cut(line, width-9))
			}
		}
	}
	if len(out) > most {
		more := len(out) - most + 1
		out = append(out[:most-1], fmt.Sprintf(" => and %d more", more))
	}
	if steps {
		head := fmt.Sprintf("[+] Running %s (%d/%d)", show.Seconds(now.Sub(l.since)), l.board.ended, l.board.begun)
		out = append([]string{cut(head, width)}, out...)
	}
	return out
}

// row is a line with something at its right end. What is too wide is written
// without space between: it is for the terminal to wrap it.
func row(left, right string, width int) string {
	space := width - columns.String(left) - columns.String(right)
	return left + strings.Repeat(" ", max(space, 1)) + right
}

// fit is a [row] that is not wider than width.
func fit(left, right string, width int) string {
	return row(cut(left, width-columns.String(right)-1), right, width)
}

// cut keeps a line from being wrapped.
func cut(s string, width int) string {
	s = strings.ReplaceAll(s, "\t", "    ") // whose width nobody knows here
	return columns.TruncateString(s, max(width, 1), "…")
}

// columns counts the columns of text, of which colours take none.
var columns = displaywidth.Options{ControlSequences: true}

// Output tells that processes are heard.
func (l *live) Output() bool { return true }

// Pause takes the live lines away until the next event or tick, and ends what is
// no step.
func (l *live) Pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draw(nil)
	l.board.settle()
}

// Close takes the live lines away.
func (l *live) Close() {
	l.tick.end()
	l.Pause()
}
