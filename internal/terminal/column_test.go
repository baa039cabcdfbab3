package terminal_test

import (
	"testing"

	"github.com/inlaybuild/inlay/internal/terminal"
)

func TestColumnKnowsWhetherALineIsBegun(t *testing.T) {
	for text, begun := range map[string]bool{
		"":                                   false,
		"a":                                  true,
		"a\r\n":                              false,
		"a\r":                                false,
		"a\nb":                               true,
		"\x1b[31m":                           false,
		"a\n\x1b[0m":                         false,
		"\x1b]0;title\x07":                   false,
		"\x1b]0;title\x1b\\":                 false,
		"\x1b]0;title\x1bx\x1b\\a":           true,
		"\x1b(B":                             false,
		"\x1b=\x1b>":                         false,
		"a\x07":                              true,
		"\x07":                               false,
		"\x1b[?1049hvim all over\x1b[?1049l": false,
		"$ \x1b[?1049h\n\x1b[?1049l":         true,
		"\xc3\xa4":                           true,
	} {
		for _, size := range []int{1, 1000} {
			var c terminal.Column
			for i := 0; i < len(text); i += size {
				_, _ = c.Write([]byte(text[i:min(i+size, len(text))]))
			}
			if c.Begun() != begun {
				t.Errorf("%q in pieces of %d: %v, want %v", text, size, c.Begun(), begun)
			}
		}
	}
}

func FuzzColumn(f *testing.F) {
	f.Add([]byte("a\x1b[?1049h\x1b]x\x1b\\\r"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c terminal.Column
		if n, err := c.Write(b); n != len(b) || err != nil {
			t.Fatal(n, err)
		}
		// Whatever was said, a string terminator and a new line end it.
		_, _ = c.Write([]byte("\x18\x1b\\\x1b\\a\r\n"))
		if c.Begun() {
			t.Errorf("a line is begun after a new line behind %q", b)
		}
	})
}
