package terminal

import (
	"strconv"
	"strings"
)

// Cursor follows what is written to a terminal, to tell what is to be written before
// something else gets a line of its own. It knows whether the line that it is at has
// something on it, and how many lines below that were written to. The zero Cursor is
// at the start of the last line.
type Cursor struct {
	place
	outside place // what it was when the other screen was switched to
	saved   place // by ESC 7 or CSI s
	state   escape
	number  []byte // what came since ESC [
}

// place is where the cursor is.
type place struct {
	begun bool // there is something on the line
	start bool // it is at the start of the line
	above int  // lines that it is above the last one, at most far
	last  bool // begun, of the last line
}

// far is more lines than a terminal has: where nobody knows where the cursor is.
const far = 999

// escape is how far a control sequence is (ECMA-48, and what xterm adds).
type escape int

const (
	plain   escape = iota
	escaped        // ESC
	control        // ESC [, up to a letter
	text           // ESC ] and the like, up to BEL or ESC \
	textEnd        // ESC in such text
	one            // one byte more, as after ESC (
)

// Write takes what is written to the terminal.
func (c *Cursor) Write(b []byte) (int, error) {
	for _, x := range b {
		c.next(x)
	}
	return len(b), nil
}

// Next gives what to write for a line of its own: nothing at the start of an empty
// last line.
func (c *Cursor) Next() string {
	switch {
	case c.above > 0: // which it does not go below
		return "\x1b[" + strconv.Itoa(c.above) + "B\n"
	case c.begun:
		return "\n"
	}
	return ""
}

func (c *Cursor) next(x byte) {
	switch c.state {
	case escaped:
		c.escape(x)
	case control:
		if x >= 0x40 && x <= 0x7e {
			c.state = plain
			c.control(x)
		} else if len(c.number) < 32 {
			c.number = append(c.number, x)
		}
	case text:
		switch x {
		case 0x07:
			c.state = plain
		case 0x1b:
			c.state = textEnd
		}
	case textEnd:
		c.state = text
		if x == '\\' {
			c.state = plain
		}
	case one:
		c.state = plain
	default:
		c.plain(x)
	}
}

func (c *Cursor) plain(x byte) {
	switch {
	case x == 0x1b:
		c.state = escaped
	case x == '\n':
		if c.above == 0 {
			c.begun = false // a new one
		}
		c.down(1)
	case x == '\r':
		c.start = true
	case x >= 0x20 && x != 0x7f:
		c.begun, c.start = true, false
	}
}

func (c *Cursor) escape(x byte) {
	c.state = plain
	switch x {
	case '[':
		c.state, c.number = control, c.number[:0]
	case ']', 'P', 'X', '^', '_':
		c.state = text
	case '(', ')', '*', '+', '#', '%', ' ':
		c.state = one
	case '7':
		c.saved = c.place
	case '8':
		c.place = c.saved
	case 'M':
		c.up(1)
	case 'c':
		c.place = place{}
	}
}

// up goes up so many lines.
func (c *Cursor) up(n int) {
	if c.above == 0 {
		c.last = c.begun
	}
	c.above = min(c.above+n, far)
}

// down goes down so many lines, but not below the last.
func (c *Cursor) down(n int) {
	was := c.above
	if c.above = max(c.above-n, 0); was > 0 && c.above == 0 {
		c.begun = c.last
	}
}

// control follows a control sequence by its last byte.
func (c *Cursor) control(last byte) {
	number := string(c.number)
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		n = 1
	}
	n = min(n, far)
	switch last {
	case 'A', 'F':
		c.up(n)
	case 'B', 'E', 'e':
		c.down(n)
	case 'H', 'f':
		c.up(far)
		_, column, _ := strings.Cut(number, ";")
		c.start = column == "" || column == "1"
	case 'd':
		c.up(far)
	case 'K':
		if number == "2" || c.start && (number == "" || number == "0") {
			c.begun = false
		}
	case 'J':
		c.erased(number)
	case 's':
		c.saved = c.place
	case 'u':
		c.place = c.saved
	case 'h', 'l':
		c.switched(number, last)
	}
}

// erased follows the erasing of what is below the cursor, or of all.
func (c *Cursor) erased(what string) {
	switch strings.TrimLeft(what, "0") {
	case "2", "3":
		c.begun = false
	case "":
		c.begun = c.begun && !c.start
	default:
		return
	}
	c.above, c.last = 0, false
}

// switched follows programs to the other screen and back.
func (c *Cursor) switched(mode string, last byte) {
	switch mode {
	case "?1049", "?1047", "?47":
	default:
		return
	}
	switch last {
	case 'h':
		c.outside = c.place
	case 'l':
		c.place = c.outside
	}
}
