package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is written for a program has a line for each name, whatever names are.
func TestANameIsOneLineAlsoOfAPipe(t *testing.T) {
	s := &sessions{t: t, program: "inlay", env: []string{"INLAY_STORE=" + t.TempDir()}}
	dir := t.TempDir()
	for _, name := range []string{"a b", "'c'", "\xff", "d\ne", "f\x1b[2J"} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	must(t, os.Symlink("to\nnowhere", filepath.Join(dir, "link")))
	const plain, odd, more = "'c'\na b\n", "$'d\\ne'\n", "$'f\\x1b[2J'\n"
	for _, c := range []struct{ args, want string }{
		{"ls DIR", plain + odd + more + "link\n\xff\n"},
		{"ls -l DIR /link", "/link -> $'to\\nnowhere'\n"},
		{"find DIR -name d*", "$'/d\\ne'\n"},
		{"find --null DIR -name d*", "/d\ne\x00"},
		{"find --json DIR -name d*", `"path": "/d\ne",`},
		{"tree DIR", "\u251c\u2500\u2500 $'d\\ne'\n"},
		{"stat DIR /link", "target  $'to\\nnowhere'\n"},
		{"du DIR", "$'/d\\ne'\n"},
		{"diff scratch DIR", "\nA $'/d\\ne'\n"},
		{"diff --stat scratch DIR", " $'/d\\ne'\n"},
	} {
		args := strings.Fields(strings.Replace(c.args, "DIR", "dir:"+dir, 1))
		if got := s.run(args...); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.args, got, c.want)
		}
	}
}
