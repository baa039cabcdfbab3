// Package show is how the command writes names, entries and numbers.
//
// Names in a tree are bytes from anywhere. On a terminal a name that holds
// anything but plain printable characters is quoted as a shell would read it
// back, as GNU ls does; elsewhere only one that holds control characters is, as git
// does, so that a name is never taken for several lines. In JSON a name that is not
// UTF-8 is an object, {"base64": "..."}, instead of a string. What processes and
// files hold goes to a terminal without control sequences but colours.
package show

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// Quote writes a name for a terminal: as it is if it is plain, otherwise in a
// form that a shell reads back.
func Quote(s string) string {
	q, err := syntax.Quote(s, syntax.LangBash)
	if err != nil || !plain(q) {
		return strconv.QuoteToASCII(s)
	}
	return q
}

// Name writes a name for a program that reads lines: as it is, unless it holds
// control characters, as a line end is one. Then it is quoted.
func Name(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return Quote(s)
	}
	return s
}

func plain(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// Clean takes from one line what could steer a terminal. Tabs stay, and so do
// colours if they are asked for; they end with the line. Other control
// sequences go; other control characters and bytes that are not UTF-8 are
// written as \xNN.
func Clean(line string, colours bool) string {
	if plain(line) {
		return line
	}
	var b strings.Builder
	coloured := false
	for i := 0; i < len(line); {
		if line[i] == 0x1b {
			n, sgr := sequence(line[i:])
			if sgr && colours {
				b.WriteString(line[i : i+n])
				coloured = true
			}
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(line[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(hexed(line[i]))
		case r == '\t' || r >= ' ' && r != 0x7f && !(r >= 0x80 && r < 0xa0) && !steers(r):
			b.WriteString(line[i : i+n])
		case r < 0x100:
			b.WriteString(hexed(byte(r)))
		default:
			b.WriteString(escaped(r))
		}
		i += n
	}
	if coloured {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// steers tells of characters that turn the direction of text around.
func steers(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029
}

// escaped writes a character as \uNNNN.
func escaped(r rune) string { return strings.Trim(strconv.QuoteRuneToASCII(r), "'") }

// hexed writes a byte as \xNN.
func hexed(b byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{'\\', 'x', digits[b>>4], digits[b&15]})
}

// sequence measures the control sequence that s starts with, and tells whether
// it only sets colours.
func sequence(s string) (n int, sgr bool) {
	if len(s) < 2 {
		return len(s), false
	}
	switch s[1] {
	case '[':
		for i := 2; i < len(s); i++ {
			switch c := s[i]; {
			case c >= 0x40 && c <= 0x7e:
				return i + 1, c == 'm' && !strings.ContainsAny(s[2:i], "<=>?! \"#$%&'()*+,-./")
			case c < 0x20 || c > 0x7e:
				return i, false
			}
		}
		return len(s), false
	case ']', 'P', 'X', '^', '_': // ended by BEL or ESC \
		for i := 2; i < len(s); i++ {
			if s[i] == 7 {
				return i + 1, false
			}
			if s[i] == 0x1b {
				if i+1 < len(s) && s[i+1] == '\\' {
					return i + 2, false
				}
				return i, false
			}
		}
		return len(s), false
	}
	return 2, false
}

// Bytes is a name or a content in JSON: a string if it is UTF-8, otherwise an
// object with its base64 form.
type Bytes string

// MarshalJSON gives the string or the object.
func (b Bytes) MarshalJSON() ([]byte, error) { return json.Marshal(b.Value()) }

// Value gives the string or the object. As a value in a struct it costs a fraction of
// what Bytes do there, which are read once more when they have been written.
func (b Bytes) Value() any {
	if utf8.ValidString(string(b)) {
		return string(b)
	}
	return map[string]string{"base64": base64.StdEncoding.EncodeToString([]byte(b))}
}
