package show

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/tree"
)

func TestNothingThatSteersATerminalGetsThrough(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                       "plain",
		"tab\there":                   "tab\there",
		"a\x1b[2Jb":                   "ab",
		"a\x1b[31mred":                "a\x1b[31mred\x1b[0m",
		"\x1b[38;5;1mx\x1b[0m":        "\x1b[38;5;1mx\x1b[0m\x1b[0m",
		"\x1b[>4;1m":                  "",
		"\x1b[?25lx":                  "x",
		"\x1b]0;title\x07x":           "x",
		"\x1b]8;;http://x\x1b\\l":     "l",
		"\x1bP1;2|x\x1b\\y":           "y",
		"\x1b]52;c;never ended":       "",
		"\x1b":                        "",
		"\x1bc":                       "",
		"\x07\x08\x7f":                `\x07\x08\x7f`,
		"\u009b2J":                    `\x9b2J`,
		"\x9b2J":                      `\x9b2J`,
		"bad \xff":                    `bad \xff`,
		"\u202egnp.exe":               `\u202egnp.exe`,
		"gr\u00fc\u00df \u65e5\u672c": "gr\u00fc\u00df \u65e5\u672c",
	} {
		if got := Clean(in, true); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := Clean("a\x1b[31mb", false); got != "ab" {
		t.Errorf("%q", got)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[31mb\x1b]0;x\x07")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s, false)
		if strings.ContainsAny(got, "\x1b\x07\x08\r\n\x7f") {
			t.Errorf("%q: %q", s, got)
		}
		if q := Quote(s); !plain(q) {
			t.Errorf("%q: %q", s, q)
		}
	})
}

func TestNamesAreQuotedAsAShellReadsThem(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "/usr/bin/x-1.2_3": "/usr/bin/x-1.2_3", "a b": "'a b'", "a'b": `"a'b"`,
		"a\nb": `$'a\nb'`, "\x1b[2J": `$'\x1b[2J'`, "\xff": `$'\xff'`, "": "''",
	} {
		if got := Quote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestSizesAreRead(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "4096": 4096, "1k": 1024, "500M": 500 << 20, "1.5GiB": 3 << 29, "2TB": 2 << 40, " 7 ": 7,
	} {
		if got, err := ParseSize(in); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "x", "-1", "1Q", "NaN", "1e30", "99999999999P", "M"} {
		if got, err := ParseSize(in); err == nil {
			t.Errorf("%q: %d", in, got)
		}
	}
}

func TestModesLookAsLsHasThem(t *testing.T) {
	for want, e := range map[string]tree.Entry{
		"-rw-r--r--": tree.File{Attributes: tree.Attr{Mode: 0o644}},
		"-rwsr-Sr-x": tree.File{Attributes: tree.Attr{Mode: 0o6745}},
		"drwxr-xr-x": tree.Empty(),
		"drwxrwxrwt": tree.Empty().With(tree.Attr{Mode: 0o1777}),
		"prw-rw-rwT": tree.Fifo{Attributes: tree.Attr{Mode: 0o1666}},
		"crw-------": tree.Device{Attributes: tree.Attr{Mode: 0o600}},
		"brw-------": tree.Device{Attributes: tree.Attr{Mode: 0o600}, Block: true},
		"s---------": tree.Socket{},
		"lrwxrwxrwx": tree.Symlink{Attributes: tree.Attr{Mode: 0o777}},
	} {
		if got := Mode(e); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestNamesThatAreNotUTF8AreObjectsInJSON(t *testing.T) {
	b, err := json.Marshal([]Bytes{"a", "\xff"})
	if err != nil || string(b) != `["a",{"base64":"/w=="}]` {
		t.Error(string(b), err)
	}
}

func TestSizesAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 40: "5.0 TiB", 1 << 62: "4096.0 PiB"} {
		if got := Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
