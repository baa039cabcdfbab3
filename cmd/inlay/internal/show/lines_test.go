package show

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// linesOf gives the lines of what is written in pieces of a size.
func linesOf(s string, size int) []string {
	var l Lines
	out := []string{}
	add := func(line string) { out = append(out, line) }
	for b := []byte(s); len(b) > 0; {
		n := min(size, len(b))
		l.Add(b[:n], add)
		b = b[n:]
	}
	l.Flush(add)
	return out
}

func TestLinesAreWhatATerminalShowsInTheEnd(t *testing.T) {
	const off = "\x1b[0m"
	for in, want := range map[string][]string{
		"one\ntwo":                         {"one", "two"},
		"one\r\n\r\ntwo\r\n":               {"one", "", "two"},
		"10%\r50%\r100%\r\n":               {"100%"},
		"100%\r50%\n":                      {"50%%"},
		"long line\rok\x1b[K\n":            {"ok"},
		"\x1b[2K\rdone\n":                  {"done"},
		"abc\b\bX\n":                       {"aXc"},
		"abc\x1b[2DX\x1b[1GY\x1b[6GZ\n":    {"YXc  Z"},
		"abc\x1b[1K\n":                     {"   "},
		"tab\there\n":                      {"tab\there"},
		"a\x1b[31mred\nstill\x1b[mnot\n":   {"a\x1b[31mred" + off, "\x1b[31mstill" + off + "not"},
		"\x1b[1m\x1b[38;5;0mx\x1b[0;4my":   {"\x1b[1m\x1b[38;5;0mx" + off + "\x1b[4my" + off},
		"\x1b[38;2;0;0;0mx":                {"\x1b[38;2;0;0;0mx" + off},
		"\x1b[31mgone\r\x1b[K\x1b[0mplain": {"plain"},
		"a\x1b[2J\x1b[H\x1b[?1049h\x1b[10Ab\x1bc\x1b7\x1b(Bc": {"abc"},
		"\x1b[>4;1mx\x1b[?25l\x1b[5 qy":                       {"xy"},
		"\x1b]0;title\x07x\x1b]8;;http://x\x1b\\l":            {"xl"},
		"\x1bP1;2|x\x1b\\y\x1b_z\x1b\\\x1b^z\x1b\\\x1bXz\x07": {"y"},
		"\x1b]52;c;not ended\nnext":                           {"", "next"},
		"\x1b]x\x1b[31my":                                     {"\x1b[31my" + off},
		"\x1b[31\nm":                                          {"", "m"},
		"\x1b\x1b[1mx":                                        {"\x1b[1mx" + off},
		"a\x07\x00b\x7f\x01\x0b":                              {`ab\x7f\x01\x0b`},
		"\u009b2J\u009d0;x\u009c":                             {`\x9b2J\x9d0;x\x9c`},
		"\x9b2J \xff \xe2\x82 \xe2\x82\n\xc3":                 {`\x9b2J \xff \xe2\x82 \xe2\x82`, `\xc3`},
		"gr\u00fc\u00df \u65e5\u672c e\u0301\bx":              {"gr\u00fc\u00df \u65e5\u672c x"},
		"\u202egnp.exe":                                       {`\u202egnp.exe`},
		"\x1b[999999999999999999999Cx":                        {strings.Repeat(" ", maxSkip) + "x"},
		"":                                                    {},
	} {
		for _, size := range []int{1, 2, 3, 1 << 20} {
			if got := linesOf(in, size); !slices.Equal(got, want) {
				t.Errorf("%q in pieces of %d: %q, want %q", in, size, got, want)
			}
		}
	}
}

// As on a terminal, on which a line that is as wide as it is one line.
func TestTheEndOfALineThatWasCutIsItsEnd(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for in, want := range map[string][]string{
		long + "\n":                {long},
		long + "\r\n\ny":           {long, "", "y"},
		long + "\x1b[0m\n":         {long},
		long + long + "\n\n":       {long, long, ""},
		long + "y\n":               {long, "y"},
		long + "\x1b[31m\x1b[m\nz": {long, "z"},
	} {
		for _, size := range []int{1, 1000, 1 << 20} {
			if got := linesOf(in, size); !slices.Equal(got, want) {
				t.Errorf("%d bytes in pieces of %d: lines of %d", len(in), size, lengths(got))
			}
		}
	}
}

func lengths(lines []string) (out []int) {
	for _, l := range lines {
		out = append(out, len(l))
	}
	return out
}

func TestWhatGrowsWithoutEndIsCut(t *testing.T) {
	for _, s := range []string{"x", "\u0301", "\x1b[31m", "\x1b]0;", "\x1b[1;", "\x1b[200Cx\n"} {
		long := strings.Repeat(s, 300_000/len(s))
		sum := 0
		for _, line := range linesOf(long, 4096) {
			if len(line) > 4*maxLine+maxPen {
				t.Errorf("%q again and again: a line of %d bytes", s, len(line))
			}
			sum += len(line)
		}
		if sum > 30*len(long) || s == "x" && sum != len(long) {
			t.Errorf("%q again and again: %d bytes became %d", s, len(long), sum)
		}
	}
}

// What a byte costs does not depend on how far the next line end is.
func TestALineWithoutAnEndCostsNoMoreThanLinesDo(t *testing.T) {
	took := func(text string) time.Duration {
		best := time.Hour
		for range 3 {
			var l Lines
			begun := time.Now()
			for range 2 {
				l.Add([]byte(text), func(string) {})
			}
			best = min(best, time.Since(begun))
		}
		return best
	}
	const size = 64 << 10
	for _, s := range []string{"\x00", "a", "\u00fc", "/\b", "\x01", "10%\r", "\x1b[31ma"} {
		long := strings.Repeat(s, size/len(s))
		short := strings.Repeat(strings.Repeat(s, 64/len(s))+"\x01\n", size/64)
		if a, b := took(long), took(short); a > 10*b {
			t.Errorf("%q without a line end took %v, and in short lines %v", s, a, b)
		}
	}
}

var sgr = regexp.MustCompile("\x1b\\[[0-9;:]*m")

func FuzzLines(f *testing.F) {
	f.Add("a\x1b[31mb\x1b]0;x\x07\r\x1b[K50%\b\u009b", 3)
	f.Add("\xe2\x82\x1bP\x1b\\\n\x1b[38;5;1mx", 1)
	f.Fuzz(func(t *testing.T, s string, size int) {
		whole := linesOf(s, 1<<20)
		if cut := linesOf(s, max(size%7, 1)); !slices.Equal(cut, whole) {
			t.Errorf("%q: %q, in pieces %q", s, whole, cut)
		}
		for _, line := range whole {
			text := sgr.ReplaceAllString(line, "")
			for _, r := range text {
				if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || steers(r) {
					t.Errorf("%q: %q", s, line)
				}
			}
			if !utf8.ValidString(line) || text != line && !strings.Contains(line, "\x1b[0m") {
				t.Errorf("%q: %q", s, line)
			}
		}
	})
}

// What a terminal shows of what a process writes, it shows of the lines that we
// make of it.
func TestATerminalShowsTheSameOfOurLines(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("needs tmux, which judges what a terminal shows")
	}
	raw := "plain\r\n10%\r50%\r100%\r\nlong line here\rok\x1b[K\r\nabc\b\bX\r\n" +
		"\x1b[31mred\x1b[0m and \x1b[1;4mbold\x1b[m\r\nabc\x1b[2DX\x1b[1GY\x1b[6GZ\r\n\x1b]0;title\x07after a title\r\n" +
		"\x1bP$q\x1b\\after a string\r\n[####    ] 50%\x1b[1G[########] 99%\r\n\x1b[38;5;200mcolour\x1b[39m none\r\n" +
		"abcdef\x1b[3D\x1b[1K\r\ngr\u00fc\u00df e\u0301\r\n\x1b[?25lhidden\x1b[?25h\r\n\x1b(Bset\r\nend\r\n"
	ours := strings.Join(linesOf(raw, 5), "\r\n") + "\r\n"
	if a, b := screen(t, raw), screen(t, ours); a != b || !strings.Contains(a, "[########] 99%") {
		t.Errorf("of what was written:\n%s\nof our lines:\n%s", a, b)
	}
}

// screen gives what a terminal shows of text, with colours.
func screen(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "text")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tmux := func(args ...string) string {
		cmd := exec.Command("tmux", append([]string{"-S", filepath.Join(dir, "socket"), "-f", "/dev/null"}, args...)...)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=screen-256color", "TMUX=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %s: %v\n%s", args, err, out)
		}
		return string(out)
	}
	tmux("-u", "new-session", "-d", "-x", "80", "-y", "40", fmt.Sprintf("stty raw -echo; cat %s; exec sleep 60", file))
	defer tmux("kill-server")
	for range 100 {
		if out := tmux("capture-pane", "-e", "-p"); strings.Contains(out, "end") {
			return out
		}
		time.Sleep(30 * time.Millisecond)
	}
	t.Fatalf("nothing is shown: %s", tmux("capture-pane", "-p"))
	return ""
}

func BenchmarkLines(b *testing.B) {
	random := make([]byte, 64<<10)
	if _, err := rand.NewChaCha8([32]byte{}).Read(random); err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{
		"plain":     strings.Repeat("a line of a process that says much, and nothing else\n", 1000),
		"colour":    strings.Repeat("\x1b[32ma line\x1b[0m of a process that says much, and nothing else\n", 1000),
		"crlf":      strings.Repeat("a line of a process that says much, and nothing else\r\n", 1000),
		"utf8":      strings.Repeat("eine Zeile, die \u00e4hnlich \u0437\u0432\u0443\u0447\u0438\u0442, \u65e5\u672c\u8a9e\n", 1000),
		"progress":  strings.Repeat("10% of it\r", 6000),
		"a":         strings.Repeat("a", 64<<10),
		"a-colour":  "\x1b[32m" + strings.Repeat("a", 64<<10),
		"zeros":     strings.Repeat("\x00", 64<<10),
		"backspace": strings.Repeat("/\b", 32<<10),
		"random":    string(random),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			var l Lines
			for b.Loop() {
				l.Add([]byte(text), func(string) {})
			}
		})
	}
}
