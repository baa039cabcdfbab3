package terminal_test

import (
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/terminal"
)

func TestCursorKnowsWhatGivesALineOfItsOwn(t *testing.T) {
	for text, next := range map[string]string{
		"":                                   "",
		"a":                                  "\n",
		"a\r\n":                              "",
		"a\r":                                "\n",
		"10%\r20%\r":                         "\n",
		"10%\r\x1b[K":                        "",
		"10%\x1b[2K\r":                       "",
		"10%\r\x1b[J":                        "",
		"a\nb":                               "\n",
		"\x1b[31m":                           "",
		"a\n\x1b[0m":                         "",
		"\x1b]0;title\x07":                   "",
		"\x1b]0;title\x1b\\":                 "",
		"\x1b]0;title\x1bx\x1b\\a":           "\n",
		"\x1b(B":                             "",
		"\x1b=\x1b>":                         "",
		"a\x07":                              "\n",
		"\x07":                               "",
		"a\n\x1b[A":                          "\x1b[1B\n",
		"a\nb\nc\x1b[2A":                     "\x1b[2B\n",
		"a\nb\nc\x1b[2A\n\n":                 "\n",
		"a\n\x1b[A\n":                        "",
		"a\nb\x1b[A\x1b[B":                   "\n",
		"a\nb\x1b[H":                         "\x1b[999B\n",
		"a\nb\x1b[H\x1b[2J":                  "",
		"a\nb\x1b[H\x1b[J":                   "",
		"\x1b7a\x1b[1;1Hb\x1b8":              "",
		"\x1b[?1049hvim all over\x1b[?1049l": "",
		"$ \x1b[?1049h\n\x1b[?1049l":         "\n",
		"\xc3\xa4":                           "\n",
	} {
		for _, size := range []int{1, 1000} {
			var c terminal.Cursor
			for i := 0; i < len(text); i += size {
				_, _ = c.Write([]byte(text[i:min(i+size, len(text))]))
			}
			if got := c.Next(); got != next {
				t.Errorf("%q in pieces of %d: %q, want %q", text, size, got, next)
			}
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add([]byte("a\x1b[?1049h\x1b]x\x1b\\\r"))
	f.Add([]byte("a\nb\x1b[99A\x1b[H"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c terminal.Cursor
		if n, err := c.Write(b); n != len(b) || err != nil {
			t.Fatal(n, err)
		}
		// Whatever was said, a string terminator and as many new lines as a
		// terminal has end it.
		_, _ = c.Write([]byte("\x18\x1b\\\x1b\\a" + strings.Repeat("\r\n", 1001)))
		if next := c.Next(); next != "" {
			t.Errorf("%q is needed after new lines behind %q", next, b)
		}
	})
}
