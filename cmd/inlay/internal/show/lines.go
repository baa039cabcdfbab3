package show

import (
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
	simple []byte // the line, as long as it has nothing but characters in their order
	count  int    // of characters in it
	cells  []cell // the line when it has more, and then simple is empty
	column int    // where the next character goes, in characters
	pen    string // the sequences that set the colours that are on
	params []byte // of a control sequence that is being read
	rune   []byte // of a character that is being read
	full   bool   // the last line was cut: an end that follows at once is its end
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
			if n := l.characters(b); n > 0 {
				b = b[n:]
				l.cut(f)
				continue
			}
		}
		c := b[0]
		b = b[1:]
		if c == '\n' {
			l.invalid()
			l.state = ground
			if !l.full || l.begun() {
				l.end(f)
			}
			l.full = false
			continue
		}
		l.spread()
		l.next(c)
		l.cut(f)
	}
}

// Flush gives what is left, if there is something.
func (l *Lines) Flush(f func(line string)) {
	l.invalid()
	if l.begun() {
		l.end(f)
	}
	l.state, l.full = ground, false
}

func (l *Lines) begun() bool { return len(l.cells) > 0 || l.count > 0 }

// Current is the line that has not ended yet, up to a number of characters.
func (l *Lines) Current(most int) string {
	if len(l.cells) > 0 {
		return line(l.cells[:min(most, len(l.cells))])
	}
	at := 0
	for range min(most, l.count) {
		_, n := utf8.DecodeRune(l.simple[at:])
		at += n
	}
	return string(l.simple[:at])
}

// characters takes what b begins with of characters that go to the end of the line,
// and of those that are nothing to see, up to the end of the line and to what makes
// the line too long. It gives how many bytes that were.
func (l *Lines) characters(b []byte) int {
	if len(l.cells) > 0 || l.pen != "" || l.column != l.count {
		return l.coloured(b)
	}
	at := 0
	for at < len(b) && l.count < maxLine {
		n, count := plainRun(b[at:], maxLine-l.count)
		l.simple = append(l.simple, b[at:at+n]...)
		l.count += count
		if at += n; at == len(b) || l.count == maxLine {
			break
		}
		if n = unseen(b[at:]); n == 0 {
			break
		}
		at += n
	}
	l.column = l.count
	return at
}

// coloured is characters of a line that has cells already, or colours.
func (l *Lines) coloured(b []byte) int {
	if l.column != len(l.cells) {
		return 0
	}
	n, _ := plainRun(b, maxLine-len(l.cells))
	l.cells = appendCells(l.cells, string(b[:n]), l.pen)
	l.column = len(l.cells)
	return n
}

// plainRun measures the characters that text begins with that are one each, none
// that combines with another or steers a terminal: in bytes, and how many they are.
func plainRun(b []byte, most int) (n, count int) {
	for n < len(b) && count < most {
		if c := b[n]; c < utf8.RuneSelf {
			if (c < ' ' && c != '\t') || c == 0x7f {
				break
			}
			n++
			count++
			continue
		}
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size <= 1 || r < 0xa0 || steers(r) || combines(r) {
			break
		}
		n += size
		count++
	}
	return n, count
}

// unseen measures the bytes that text begins with that change nothing of a line.
func unseen(b []byte) int {
	n := 0
	for n < len(b) && silent(b[n]) {
		n++
	}
	if n+1 < len(b) && b[n] == '\r' && b[n+1] == '\n' {
		n++
	}
	return n
}

// silent tells of control characters of which nothing is to be seen on a terminal
// either.
func silent(c byte) bool { return c == 0 || c == 7 || c == 0x0e || c == 0x0f }

// spread makes cells of the line, for what does more than to go on with it.
func (l *Lines) spread() {
	if l.count == 0 {
		return
	}
	l.cells = appendCells(l.cells, string(l.simple), "")
	l.simple, l.count = l.simple[:0], 0
}

// appendCells appends the characters of text, each of which is a cell.
func appendCells(cells []cell, text, pen string) []cell {
	for len(text) > 0 {
		n := 1
		if text[0] >= utf8.RuneSelf {
			_, n = utf8.DecodeRuneInString(text)
		}
		cells = append(cells, cell{text[:n], pen})
		text = text[n:]
	}
	return cells
}

// cut ends a line that is too long.
func (l *Lines) cut(f func(string)) {
	if max(len(l.cells), l.count) >= maxLine {
		l.end(f)
		l.full = true
	}
}

func (l *Lines) end(f func(string)) {
	if l.count > 0 {
		f(string(l.simple))
	} else {
		f(line(l.cells))
	}
	l.simple, l.count = l.simple[:0], 0
	l.cells, l.column = l.cells[:0], 0
}

// line writes cells.
func line(cells []cell) string {
	if len(cells) == 0 {
		return ""
	}
	var b strings.Builder
	b.Grow(len(cells) * len(cells[0].text))
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
	case silent(c):
	case c < ' ' && c != '\t', c == 0x7f:
		l.put(hexed(c))
	default:
		l.put(string([]byte{c})) // of which one byte takes no memory
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
		l.put(hexed(byte(r)))
	case steers(r):
		l.put(escaped(r))
	case combines(r):
		l.mark(text)
	default:
		l.put(text)
	}
}

// invalid writes the bytes of a character that is none.
func (l *Lines) invalid() {
	for _, c := range l.rune {
		l.put(hexed(c))
	}
	l.rune = l.rune[:0]
}

// combines tells of characters that are marks on the one before.
func combines(r rune) bool {
	return r >= 0x300 && (unicode.In(r, unicode.Mn, unicode.Me, unicode.Variation_Selector) || r == 0x200d)
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
