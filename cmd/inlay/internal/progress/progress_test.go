package progress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/tree"
)

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

var story = []engine.Event{
	engine.StepStarted{Step: 1, Op: "from", Call: "from a"},
	engine.StepEnded{Step: 1, Cached: true},
	engine.StepStarted{Step: 2, Op: "with-exec", Call: "with-exec x"},
	engine.Uncached{Step: 2, Miss: engine.Miss{Cause: engine.InputChanged, Text: "it changed: /a\x1b[2J"}},
	engine.Output{Step: 2, Data: []byte("one\npart")},
	engine.Output{Step: 2, Stderr: true, Data: []byte("\x1b[2Jerr\n")},
	engine.Output{Step: 2, Data: []byte("ly\n10%\r50%\r100%\r\nno end")},
	engine.Replaced{Step: 2, Replacement: compose.Replacement{Path: "/a/b", Was: tree.KindDirectory, Now: tree.KindFile, Entries: 13, Came: 1}},
	engine.StepEnded{Step: 2, Err: errors.New("oh"), Took: 2 * time.Second},
}

func TestPlainIsLinesForALog(t *testing.T) {
	var b bytes.Buffer
	p := newPlain(&b, true)
	for _, e := range story {
		p.Event(e)
	}
	p.Close()
	want := `#1 from a: cached
#2 with-exec x (not cached: it changed: /a)
#2 | one
#2 | err
#2 | partly
#2 | 100%
warning: with-exec x: /a/b was a directory with 12 entries, and is a file now
#2 | no end
#2 with-exec x: failed after 2.0s
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestPlainTellsOfWhatTakesOverASecond(t *testing.T) {
	var b bytes.Buffer
	c := &clock{now: time.Unix(0, 0)}
	p := newPlain(&b, false)
	p.board.now = c.read
	p.Event(engine.StepStarted{Step: 1, Call: "from a"})
	p.Event(engine.Progress{Step: 1, What: "unpack", Done: 1 << 20, Total: 4 << 20, Count: 2})
	p.look()
	if b.Len() > 0 {
		t.Errorf("too early: %s", &b)
	}
	c.move(1100 * time.Millisecond)
	p.look()
	c.move(time.Second) // too early for another line
	p.look()
	c.move(5 * time.Second)
	p.Event(engine.Progress{Step: -1, What: "tar:x", Done: 5, Count: 1})
	p.look()
	p.Event(engine.StepEnded{Step: 1, Took: 8 * time.Second})
	p.Close()
	want := `#1 from a
#1 unpack 1.0 MiB of 4.0 MiB (2), 1.1s
#1 unpack 1.0 MiB of 4.0 MiB (2), 7.1s
#1 from a: done 8.0s
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestShortStepsOfALookAreNotWorthALine(t *testing.T) {
	var b bytes.Buffer
	p := newPlain(&b, false)
	for _, e := range story[:2] {
		p.Event(e)
	}
	p.Close()
	if b.Len() > 0 {
		t.Error(b.String())
	}
}

func TestWarningsAreCappedForEachStep(t *testing.T) {
	var b bytes.Buffer
	p := newPlain(&b, true)
	for i := range 2 {
		p.Event(engine.StepStarted{Step: i + 1, Call: fmt.Sprint("copy ", i)})
	}
	for i := range 30 {
		p.Event(engine.Replaced{Step: 1 + i%2, Replacement: compose.Replacement{Path: "/a b", Was: tree.KindSymlink, Now: tree.KindDirectory, Entries: 1, Came: 1 + 1234*int64(i)}})
	}
	for range 10 {
		p.Event(engine.Replaced{Step: 2, Replacement: compose.Replacement{Path: "/d", Was: tree.KindDirectory, Now: tree.KindDirectory, Entries: 9}})
	}
	for i := range 2 {
		p.Event(engine.StepEnded{Step: i + 1})
	}
	p.Close()
	got := strings.Split(b.String(), "\n")
	for line, want := range map[int]string{
		0:  "warning: copy 0: '/a b' was a symlink, and is a directory now",
		2:  "warning: copy 0: '/a b' was a symlink, and is a directory with 2,468 entries now",
		34: "warning: copy 1: /d had 9 entries, and has none now",
		35: "#1 copy 0: done 0.0s",
		36: "warning: copy 1: and 5 more like that (`inlay explain --all` lists them)",
		37: "#2 copy 1: done 0.0s",
	} {
		if line >= len(got) || got[line] != want {
			t.Errorf("line %d of\n%s\nis not %s", line, b.String(), want)
		}
	}
}

// fakeScreen is a terminal of the sequences that live lines use.
type fakeScreen struct {
	lines []string
	bad   []string
}

var sequences = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

func (s *fakeScreen) Write(b []byte) (int, error) {
	text := string(b)
	for text != "" {
		if loc := sequences.FindStringIndex(text); loc != nil && loc[0] == 0 {
			seq := text[:loc[1]]
			text = text[loc[1]:]
			var n int
			switch seq[len(seq)-1] {
			case 'm':
			case 'A':
				fmt.Sscanf(seq, "\x1b[%dA", &n)
				if n > len(s.lines) {
					s.bad = append(s.bad, "up too far")
					n = len(s.lines)
				}
				s.lines = s.lines[:len(s.lines)-n] // J follows at once
			case 'J':
				if seq != "\x1b[J" {
					s.bad = append(s.bad, fmt.Sprintf("%q", seq))
				}
			default:
				s.bad = append(s.bad, fmt.Sprintf("%q", seq))
			}
			continue
		}
		text = strings.TrimPrefix(text, "\r")
		if i := strings.IndexByte(text, '\n'); i >= 0 && !strings.HasPrefix(text, "\x1b") {
			s.lines = append(s.lines, sequences.ReplaceAllString(text[:i], ""))
			text = text[i+1:]
		}
	}
	return len(b), nil
}

func TestLiveLinesComeAndGoBelowWhatStays(t *testing.T) {
	s := &fakeScreen{}
	c := &clock{now: time.Unix(0, 0)}
	l := newLive(s, func() (int, int) { return 40, 10 }, true)
	l.board.now = c.read
	l.tick.end() // drawn by hand
	l.Event(story[0])
	l.redraw()
	l.Event(story[1])
	l.Event(story[2])
	l.Event(engine.Progress{Step: 2, What: "unpack", Done: 512, Total: 1024, Count: 3})
	l.redraw()
	first := " => CACHED from a" + strings.Repeat(" ", 18) + "0.0s"
	if got := strings.Join(s.lines, "\n"); got != first {
		t.Errorf("young: %q", got)
	}
	c.move(time.Second)
	l.redraw()
	if got, want := strings.Join(s.lines, "\n"), first+`
[+] Running 1.0s (1/2)
 => with-exec x                    1.0s
 => => unpack 512 B of 1.0 KiB (3)`; got != want {
		t.Errorf("live:\n%s\nwant\n%s", got, want)
	}
	for _, e := range story[3:5] {
		l.Event(e)
	}
	l.redraw()
	if got, want := strings.Join(s.lines, "\n"), first+`
 => with-exec x (not cached: it changed: /a)
 => => # one
[+] Running 1.0s (1/2)
 => with-exec x                    1.0s
 => => unpack 512 B of 1.0 KiB (3)
 => => # part`; got != want {
		t.Errorf("with output:\n%s\nwant\n%s", got, want)
	}
	for _, e := range story[5:] {
		l.Event(e)
		l.redraw()
	}
	for i := range 20 {
		l.Event(engine.StepStarted{Step: 11 + i, Call: "with-file " + strings.Repeat("日", 60)})
	}
	c.move(time.Second)
	l.redraw()
	if n := len(s.lines); n != 9+9 || !strings.HasSuffix(s.lines[n-1], "and 13 more") {
		t.Errorf("%d lines: %q", n, s.lines)
	}
	for _, line := range s.lines[len(s.lines)-8:] {
		if n := columns.String(line); n > 39 {
			t.Errorf("%d wide: %s", n, line)
		}
	}
	l.Close()
	want := first + `
 => with-exec x (not cached: it changed: /a)
 => => # one
 => => # err
 => => # partly
 => => # 100%
warning: with-exec x: /a/b was a directory with 12 entries, and is a file now
 => => # no end
 => ERROR with-exec x              2.0s`
	if got := strings.Join(s.lines, "\n"); got != want || len(s.bad) > 0 {
		t.Errorf("got\n%s\nwant\n%s\n%v", got, want, s.bad)
	}
}

// What costs most to show is what has no line ends, and what is nothing but them.
func BenchmarkOutput(b *testing.B) {
	for name, data := range map[string]string{
		"lines": strings.Repeat("a line of a process that says much\n", 1000), "empty": strings.Repeat("\n", 32<<10),
		"zeros": strings.Repeat("\x00", 32<<10), "endless": strings.Repeat("a", 32<<10),
	} {
		for mode, d := range map[string]Display{
			"plain": newPlain(io.Discard, true),
			"tty":   newLive(io.Discard, func() (int, int) { return 80, 25 }, true),
			"json":  &jsonLines{w: io.Discard},
		} {
			b.Run(mode+"/"+name, func(b *testing.B) {
				d.Event(engine.StepStarted{Step: 1, Call: "with-exec x"})
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					d.Event(engine.Output{Step: 1, Data: []byte(data)})
				}
				d.Close()
			})
		}
	}
}
