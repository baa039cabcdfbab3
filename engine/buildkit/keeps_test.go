package buildkit_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/treetest"
)

// What no daemon keeps is an error that names it, and is listed in docs/buildkit.md.
func TestWhatNoDaemonKeepsIsAnErrorThatNamesIt(t *testing.T) {
	e := open(t, embedded.Options{}, buildkit.Options{})
	for _, c := range []struct{ name, lines, err string }{
		{"a trusted attribute", "d/f = x {trusted.k=v}\n", "/d/f: its extended attribute trusted.k"},
		{"one of a directory", "d/ {trusted.k=v}\n", "/d: its extended attribute trusted.k"},
		{"one of the root", "/ {trusted.k=v}\n", "/: its extended attribute trusted.k"},
		{"a removed name", "d/f char 0:0\n", "/d/f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := treetest.Write(treetest.MustParse(c.lines), dir); err != nil {
				t.Fatal(err)
			}
			defer unix.Removexattr(dir, "trusted.k")
			n := graph.New(graph.Host{Path: dir, KeepOwner: true}, "host")
			n = graph.New(graph.Exec{Args: []string{"true"}}, "true", n)
			_, err := e.Resolve(t.Context(), n, nil)
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "no BuildKit daemon keeps it") {
				t.Errorf("error %v, want one with %q", err, c.err)
			}
		})
	}
}
