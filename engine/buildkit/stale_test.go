package buildkit_test

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"

	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/daemontest"
	"github.com/inlaybuild/inlay/tree"
)

// A daemon that has dropped what a process left runs it again, and may still have what
// was read or copied of its first tree.
func TestWhatIsMadeOfATreeIsOfThatTreeWhenItIsMadeAgain(t *testing.T) {
	daemontest.Skip(t)
	node := script(enginetest.Busybox(t), "cat /proc/sys/kernel/random/uuid > /made")
	for kept, see := range map[string]func(t *testing.T, e *embedded.Engine) string{
		"/inlay-shim survey": func(t *testing.T, e *embedded.Engine) string {
			r, err := e.Resolve(t.Context(), node, nil)
			if err == nil {
				r, err = r.Known(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			return contents(t, e, r.Tree, "/made")
		},
		"inlay: copy": func(t *testing.T, e *embedded.Engine) string {
			copied := graph.New(graph.Copy{To: "/x", From: []string{"/made"}}, "copy", enginetest.Busybox(t), node)
			return left(t, e, script(copied, "cat /x > /seen"), "/seen")
		},
	} {
		t.Run(kept, func(t *testing.T) {
			d, err := daemontest.Start()
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			var made [2]string
			for i, when := range []string{"first", "again"} {
				if i > 0 {
					forgetAllBut(t, d.Address, kept)
				}
				t.Run(when, func(t *testing.T) {
					e := open(t, embedded.Options{}, buildkit.Options{Addresses: []daemon.Address{{URL: d.Address}}})
					made[i] = left(t, e, node, "/made")
					if seen := see(t, e); seen != made[i] {
						t.Errorf("it is made of %q, and the file is %q", seen, made[i])
					}
				})
			}
			if made[0] == made[1] {
				t.Error("the process did not run again")
			}
		})
	}
}

// Directories that differ in times alone are one to a daemon, wherever they are.
func TestACopyHasTheTimesOfWhatItIsACopyOf(t *testing.T) {
	made := script(enginetest.Busybox(t), "for p in a b; do mkdir -p /$p/few /$p/many; echo f > /$p/few/f; for i in 0 1 2 3 4 5 6 7 8 9; do echo $i > /$p/many/$i; done; done; "+
		"touch -d @100 /a/*/*; touch -d @200 /b/*/*")
	e := open(t, embedded.Options{}, buildkit.Options{})
	for _, c := range []struct{ from, to, at, want string }{
		{"/a/few", "/x", "/x/f", "100\n"},
		{"/b/few", "/x", "/x/f", "200\n"},
		{"/a/many/*", "/z/", "/z/3", "100\n"},
		{"/b/many/*", "/z/", "/z/3", "200\n"},
		{"/a/few/f", "/y", "/y", "100\n"},
		{"/b/few/f", "/y", "/y", "200\n"},
	} {
		copied := graph.New(graph.Copy{To: c.to, From: []string{c.from}}, "copy", enginetest.Busybox(t), made)
		if got := left(t, e, script(copied, "stat -c %Y "+c.at+" > /time"), "/time"); got != c.want {
			t.Errorf("%s to %s: a process sees the time %q, want %q", c.from, c.to, got, c.want)
		}
	}
}

// "last" is the run that it was when it was asked for, also when another one is last,
// and "failed" the step that failed there.
func TestARunFromTheLastOneKeepsItsTree(t *testing.T) {
	daemontest.Skip(t)
	for source, first := range map[string]string{"last": "echo first > /said", "last@failed": "echo first > /said; exit 3"} {
		t.Run(source, func(t *testing.T) {
			store := filepath.Join(t.TempDir(), "store")
			for i, node := range []*graph.Node{
				script(enginetest.Busybox(t), first),
				graph.New(graph.NewFile{Path: "/z", Content: []byte("z")}, "new", graph.New(graph.From{Source: source}, "from")),
				script(enginetest.Busybox(t), "echo second > /said"),
			} {
				t.Run(fmt.Sprint("run ", i), func(t *testing.T) {
					e := open(t, embedded.Options{Store: store, Record: true}, buildkit.Options{})
					_, err := e.Resolve(t.Context(), node, nil)
					if failed := err != nil; failed != (i == 0 && source == "last@failed") {
						t.Fatal(err)
					}
				})
				if i == 0 {
					continue
				}
				t.Run(fmt.Sprint("looked into after ", i), func(t *testing.T) {
					e := open(t, embedded.Options{Store: store}, buildkit.Options{})
					runs, err := e.Store().Runs(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if got := left(t, e, graph.New(graph.From{Source: runs[1].Name + "@2"}, "from"), "/said"); got != "first\n" {
						t.Errorf("it has %q", got)
					}
				})
			}
		})
	}
}

// left gives what a file holds of what a node comes to.
func left(t *testing.T, e *embedded.Engine, n *graph.Node, path string) string {
	t.Helper()
	r, err := e.Resolve(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	return contents(t, e, r.Tree, path)
}

// contents gives what a file of a tree holds.
func contents(t *testing.T, e *embedded.Engine, in tree.Tree, path string) string {
	t.Helper()
	entry, err := in.Lookup(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.OpenContent(t.Context(), entry.(tree.File).Content)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// forgetAllBut has a daemon drop all that it holds but what a command made.
func forgetAllBut(t *testing.T, address, command string) {
	t.Helper()
	c, err := client.New(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	kept := 0
	for range 5 { // what others were made of goes after them
		all, err := c.DiskUsage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		kept = 0
		for _, u := range all {
			if strings.Contains(u.Description, command) {
				kept++
				continue
			}
			if err := c.Prune(t.Context(), nil, client.PruneAll, client.WithFilter([]string{"id==" + u.ID})); err != nil {
				t.Fatal(err)
			}
		}
	}
	if kept == 0 {
		t.Fatalf("nothing is kept of %q", command)
	}
}
