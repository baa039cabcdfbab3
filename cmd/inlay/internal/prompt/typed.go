package prompt

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// typed is a line of a conversation up to where somebody types.
type typed struct {
	before byte     // what ended the part before: | ( or ;, 0 at the beginning
	args   []string // of the part, as they will be read; the last one is being typed, and may be empty
	raw    string   // the last one as it is written
	quote  byte     // that it is in; 0 for none
}

// typing reads a line up to where somebody types.
func typing(line string) typed {
	t := typed{args: []string{""}}
	started := false // there is something of the last argument, if only quotes
	begin := func(at int) { t.raw, started = line[at:], false }
	begin(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		last := &t.args[len(t.args)-1]
		switch {
		case t.quote == '"' && c == '(' && strings.HasSuffix(*last, "$"):
			t = typed{before: c, args: []string{""}}
			begin(i + 1)
		case t.quote == '\'' && c != '\'', t.quote == '"' && c != '"' && c != '\\':
			*last += line[i : i+1]
		case t.quote != 0 && c == t.quote:
			t.quote = 0
		case c == '\\' && i+1 < len(line) && (t.quote == 0 || strings.IndexByte(inDouble, line[i+1]) >= 0):
			i++
			*last += line[i : i+1]
			started = true
		case t.quote != 0: // a backslash that means itself
			*last += line[i : i+1]
		case c == '\'' || c == '"':
			t.quote, started = c, true
		case strings.IndexByte("|(;", c) >= 0:
			t.before, t.args = c, []string{""}
			begin(i + 1)
		case c == ' ':
			if started {
				t.args = append(t.args, "")
			}
			begin(i + 1)
		default:
			*last += line[i : i+1]
			started = true
		}
	}
	return t
}

const (
	// special are the characters that mean something in a line.
	special = " \t'\"\\$`|&;()<>*?[]#~{}!"
	// inDouble are those that do between double quotes.
	inDouble = "\"\\$`"
)

// finish writes what is missing of an argument as it can stand there, with what ends
// it unless more could follow. Names that cannot be written there, or that a terminal
// would not show as they are, are not offered.
func (t typed) finish(rest string, part bool) (string, bool) {
	escaped := special
	switch t.quote {
	case '\'':
		escaped = ""
	case '"':
		escaped = inDouble
	}
	var b strings.Builder
	for _, r := range rest {
		if r == utf8.RuneError || !unicode.IsPrint(r) || t.quote == '\'' && r == '\'' {
			return "", false
		}
		if strings.ContainsRune(escaped, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	if !part {
		if t.quote != 0 {
			b.WriteByte(t.quote)
		}
		b.WriteByte(' ')
	}
	return b.String(), true
}
