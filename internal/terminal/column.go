package terminal

// Column follows what is written to a terminal, to tell whether a line has been
// begun. The zero Column is at the start of one.
type Column struct {
	begun   bool // there is something on the line
	outside bool // what begun was when the other screen was switched to
	state   escape
	number  []byte // what came since ESC [
}

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
func (c *Column) Write(b []byte) (int, error) {
	for _, x := range b {
		c.next(x)
	}
	return len(b), nil
}

// Begun tells whether the line that the terminal is at has something on it.
func (c *Column) Begun() bool { return c.begun }

func (c *Column) next(x byte) {
	switch c.state {
	case escaped:
		c.state = plain
		switch x {
		case '[':
			c.state, c.number = control, c.number[:0]
		case ']', 'P', 'X', '^', '_':
			c.state = text
		case '(', ')', '*', '+', '#', '%', ' ':
			c.state = one
		}
	case control:
		if x >= 0x40 && x <= 0x7e {
			c.state = plain
			c.switched(x)
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

func (c *Column) plain(x byte) {
	switch {
	case x == 0x1b:
		c.state = escaped
	case x == '\n' || x == '\r':
		c.begun = false
	case x >= 0x20 && x != 0x7f:
		c.begun = true
	}
}

// switched follows programs to the other screen and back.
func (c *Column) switched(last byte) {
	switch string(c.number) {
	case "?1049", "?1047", "?47":
	default:
		return
	}
	switch last {
	case 'h':
		c.outside = c.begun
	case 'l':
		c.begun = c.outside
	}
}
