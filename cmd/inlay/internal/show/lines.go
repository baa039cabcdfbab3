package show

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lines makes lines of what a process writes, as a terminal would show them in
// the end, and such that they cannot steer the one that they are written to. The
// zero Lines is ready.
//
// A carriage return, a backspace and the sequences that move within a line or
// erase in it do what they do on a terminal, so a progress bar is one line.
// Colours (SGR) stay: a line begins with those that are on, and ends with none.
// Other control sequences go, wherever writes cut them; other control characters,
// and bytes that are not UTF-8, are written as \xNN.
type Lines struct {
	state  scan
	cells  []cell
	column int    // where the next character goes, in cells
	pen    string // the sequences that set the colours that are on
	params []byte // of a control sequence that is being read
	rune   []byte // of a character that is being read
}

// cell is a character of a line, with those that combine with it.
type cell struct {
	text string
	pen  string
}

// scan is what the next byte belongs to.
type scan uint8

const (
	ground     scan = iota
	escape          // the byte after ESC
	inter           // a longer escape sequence
	control         // a control sequence, after ESC [
	command         // a string, to the end of the line at most: OSC, DCS, SOS, PM or APC
	commandESC      // ESC in it
)

// maxLine is how many characters a line may have: then it is cut. The others are
// how far a sequence moves to the right of what is there, as the edge of a screen
// would stop it, and how long the parts of a line may be that only grow: colours,
// and marks on one character.
const (
	maxLine  = 16 << 10
	maxSkip  = 256
	maxPen   = 256
	maxMarks = 64
)

// Add gives each line that ends in b to f, without its end.
func (l *Lines) Add(b []byte, f func(line string)) {
	for len(b) > 0 {
		if l.state == ground && len(l.rune) == 0 {
			if n := l.whole(b, f); n > 0 {
				b = b[n:]
				continue
			}
		}
		c := b[0]
		b = b[1:]
		if c == '\n' {
			l.invalid()
			l.state = ground
			l.end(f)
			continue
		}
		l.next(c)
		if len(l.cells) >= maxLine {
			l.end(f)
		}
	}
}

// Flush gives what is left, if there is something.
func (l *Lines) Flush(f func(line string)) {
	l.invalid()
	if len(l.cells) > 0 {
		l.end(f)
	}
	l.state = ground
}

// Current is the line that has not ended yet.
func (l *Lines) Current() string { return line(l.cells) }

// whole gives a line that is there at once and has nothing to look at. It takes
// as many bytes as it tells.
func (l *Lines) whole(b []byte, f func(string)) int {
	n := bytes.IndexByte(b, '\n')
	if n < 0 || n > maxLine || len(l.cells) > 0 || l.column > 0 || l.pen != "" {
		return 0
	}
	for _, c := range b[:n] {
		if (c < ' ' && c != '\t') || c >= 0x7f {
			return 0
		}
	}
	f(string(b[:n]))
	return n + 1
}

func (l *Lines) end(f func(string)) {
	f(line(l.cells))
	l.cells, l.column = l.cells[:0], 0
}

// line writes cells.
func line(cells []cell) string {
	var b strings.Builder
	pen := ""
	for _, c := range cells {
		if c.pen != pen {
			if pen != "" {
				b.WriteString("\x1b[0m")
			}
			b.WriteString(c.pen)
			pen = c.pen
		}
		b.WriteString(c.text)
	}
	if pen != "" {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// next takes in one byte that does not end a line.
func (l *Lines) next(c byte) {
	switch l.state {
	case ground:
		l.plain(c)
	case escape:
		l.escaped(c)
	case inter:
		if c < ' ' || c > '/' {
			l.done(c, c >= '0' && c <= '~')
		}
	case control:
		l.controlled(c)
	case command:
		switch c {
		case 0x1b:
			l.state = commandESC
		case 7, 0x18, 0x1a:
			l.state = ground
		}
	case commandESC:
		l.state = escape
		l.escaped(c) // a backslash ends the string, and means nothing by itself
	}
}

// done ends a sequence. A byte that is no part of it is one by itself.
func (l *Lines) done(c byte, part bool) {
	l.state = ground
	if !part {
		l.plain(c)
	}
}

func (l *Lines) escaped(c byte) {
	switch {
	case c == '[':
		l.state, l.params = control, l.params[:0]
	case strings.IndexByte("]PX^_", c) >= 0:
		l.state = command
	case c == 0x1b:
	case c >= ' ' && c <= '/':
		l.state = inter
	default:
		l.done(c, c >= '0' && c <= '~')
	}
}

func (l *Lines) controlled(c byte) {
	if c >= ' ' && c <= '?' {
		if len(l.params) < maxPen {
			l.params = append(l.params, c)
		}
		return
	}
	part := c >= '@' && c <= '~'
	if part && len(l.params) < maxPen {
		l.sequence(string(l.params), c)
	}
	l.done(c, part)
}

// sequence carries out a control sequence, if it is one that only changes its line.
func (l *Lines) sequence(params string, final byte) {
	if strings.Trim(params, "0123456789;:") != "" {
		return
	}
	n, given := 0, params != ""
	for _, c := range params {
		if c < '0' || c > '9' {
			break
		}
		n = min(n*10+int(c-'0'), maxLine)
	}
	count := max(n, 1)
	switch final {
	case 'm':
		l.colour(params)
	case 'C':
		l.column = min(l.column+count, max(len(l.cells), maxSkip))
	case 'D':
		l.column = max(l.column-count, 0)
	case 'G':
		l.column = min(count-1, max(len(l.cells), maxSkip))
	case 'K':
		switch {
		case !given || n == 0:
			l.cells = l.cells[:min(l.column, len(l.cells))]
		case n == 1:
			for i := range l.cells[:min(l.column+1, len(l.cells))] {
				l.cells[i] = cell{text: " "}
			}
		case n == 2:
			l.cells = l.cells[:0]
		}
	}
}

// colour changes the colours. What a reset in it or before it undid is forgotten.
func (l *Lines) colour(params string) {
	fields := strings.Split(params, ";")
	for i := 0; i < len(fields); i++ {
		switch f := fields[i]; {
		case strings.Trim(f, "0") == "":
			l.pen, params = "", strings.Join(fields[i+1:], ";")
		case (f == "38" || f == "48" || f == "58") && i+1 < len(fields):
			switch fields[i+1] {
			case "5":
				i += 2
			case "2":
				i += 4
			}
		}
	}
	if params == "" {
		return
	}
	set := "\x1b[" + params + "m"
	if len(l.pen)+len(set) > maxPen {
		l.pen = ""
	}
	l.pen += set
}

// plain takes in a byte that is in no sequence.
func (l *Lines) plain(c byte) {
	if len(l.rune) > 0 || c >= utf8.RuneSelf {
		l.collect(c)
		return
	}
	switch {
	case c == 0x1b:
		l.state = escape
	case c == '\r':
		l.column = 0
	case c == '\b':
		l.column = max(l.column-1, 0)
	case c == 0, c == 7, c == 0x0e, c == 0x0f: // nothing is to be seen of them on a terminal either
	case c < ' ' && c != '\t', c == 0x7f:
		l.put(`\x` + hex(c))
	default:
		l.put(string(rune(c)))
	}
}

// collect takes in a byte of a character of several bytes.
func (l *Lines) collect(c byte) {
	if c < utf8.RuneSelf || utf8.RuneStart(c) {
		l.invalid()
		if c < utf8.RuneSelf {
			l.plain(c)
			return
		}
	}
	l.rune = append(l.rune, c)
	if !utf8.FullRune(l.rune) {
		return
	}
	r, n := utf8.DecodeRune(l.rune)
	if r == utf8.RuneError && n <= 1 {
		l.invalid()
		return
	}
	text := string(l.rune)
	l.rune = l.rune[:0]
	switch {
	case r < 0xa0:
		l.put(`\x` + hex(byte(r)))
	case steers(r):
		l.put(escaped(r))
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Variation_Selector) || r == 0x200d:
		l.mark(text)
	default:
		l.put(text)
	}
}

// invalid writes the bytes of a character that is none.
func (l *Lines) invalid() {
	for _, c := range l.rune {
		l.put(`\x` + hex(c))
	}
	l.rune = l.rune[:0]
}

// put writes a character over what is at the place.
func (l *Lines) put(text string) {
	for len(l.cells) < l.column {
		l.cells = append(l.cells, cell{text: " "})
	}
	c := cell{text, l.pen}
	if l.column < len(l.cells) {
		l.cells[l.column] = c
	} else {
		l.cells = append(l.cells, c)
	}
	l.column++
}

// mark combines something with the character before.
func (l *Lines) mark(text string) {
	at := min(l.column, len(l.cells)) - 1
	switch {
	case at < 0:
		l.put(text)
	case len(l.cells[at].text) < maxMarks:
		l.cells[at].text += text
	}
}
