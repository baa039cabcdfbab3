package compose

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// ModeChange is what a Mode option does to the mode of an entry.
type ModeChange struct {
	octal   bool
	mode    tree.Mode
	clauses []modeClause
}

// modeClause is one "who op perms" of a symbolic mode.
type modeClause struct {
	who   tree.Mode // the bits that it may touch, as a mask of 07777
	op    byte      // '+', '-' or '='
	perms string    // of "rwxXst", or one of "u", "g", "o"
}

// ParseMode reads an octal mode ("0755") or a symbolic one as chmod(1) has it
// ("u+rwX,go-w").
func ParseMode(s string) (*ModeChange, error) {
	if s != "" && strings.Trim(s, "01234567") == "" {
		n, err := strconv.ParseUint(s, 8, 16)
		if err != nil || n > uint64(tree.ModeAll) {
			return nil, fmt.Errorf("mode %q: at most 7777 is possible", s)
		}
		return &ModeChange{octal: true, mode: tree.Mode(n)}, nil
	}
	m := &ModeChange{}
	for part := range strings.SplitSeq(s, ",") {
		n := strings.IndexAny(part, "+-=")
		if n < 0 || strings.Trim(part[:n], "ugoa") != "" {
			return nil, fmt.Errorf("mode %q: want octal digits, or clauses like u+rwX,go-w", s)
		}
		who := whoMask(part[:n])
		for rest := part[n:]; rest != ""; {
			end := 1 + strings.IndexAny(rest[1:]+"+", "+-=")
			perms := rest[1:end]
			if strings.Trim(perms, "rwxXst") != "" && perms != "u" && perms != "g" && perms != "o" {
				return nil, fmt.Errorf("mode %q: %q is not a permission", s, perms)
			}
			m.clauses = append(m.clauses, modeClause{who, rest[0], perms})
			rest = rest[end:]
		}
	}
	return m, nil
}

func whoMask(who string) tree.Mode {
	if who == "" {
		who = "a"
	}
	var m tree.Mode
	for _, c := range who {
		switch c {
		case 'u':
			m |= 0o4700
		case 'g':
			m |= 0o2070
		case 'o':
			m |= 0o1007
		case 'a':
			m |= 0o7777
		}
	}
	return m
}

// Of gives the mode that an entry of mode m gets.
func (c *ModeChange) Of(m tree.Mode, isDir bool) tree.Mode {
	if c.octal {
		return c.mode
	}
	for _, cl := range c.clauses {
		bits := cl.bits(m, isDir) & cl.who
		switch cl.op {
		case '+':
			m |= bits
		case '-':
			m &^= bits
		case '=':
			keep := tree.Mode(0)
			if isDir {
				keep = m & (tree.SetUID | tree.SetGID) // as GNU chmod does
			}
			m = m&^cl.who | bits | keep
		}
	}
	return m
}

func (cl modeClause) bits(m tree.Mode, isDir bool) tree.Mode {
	switch cl.perms {
	case "u":
		return (m >> 6 & 7) * 0o111
	case "g":
		return (m >> 3 & 7) * 0o111
	case "o":
		return (m & 7) * 0o111
	}
	var b tree.Mode
	for _, c := range cl.perms {
		switch c {
		case 'r':
			b |= 0o444
		case 'w':
			b |= 0o222
		case 'x':
			b |= 0o111
		case 'X':
			if isDir || m&0o111 != 0 {
				b |= 0o111
			}
		case 's':
			b |= tree.SetUID | tree.SetGID
		case 't':
			b |= tree.Sticky
		}
	}
	return b
}
