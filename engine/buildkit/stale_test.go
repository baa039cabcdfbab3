package buildkit_test

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/daemontest"
	"github.com/inlaybuild/inlay/tree"
)

// A daemon that has dropped what a process left runs it again, and may still have what
// was read of its first tree.
func TestWhatIsReadOfATreeIsOfThatTreeWhenItIsMadeAgain(t *testing.T) {
	daemontest.Skip(t)
	d, err := daemontest.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	node := script(enginetest.Busybox(t), "cat /proc/sys/kernel/random/uuid > /made")
	var seen [2]string
	for i, name := range []string{"first", "again"} {
		if i > 0 {
			forgetAllBut(t, d.Address, "/inlay-shim survey")
		}
		t.Run(name, func(t *testing.T) {
			e := open(t, embedded.Options{}, buildkit.Options{Addresses: []daemon.Address{{URL: d.Address}}})
			view, err := e.Resolve(t.Context(), node, nil)
			if err != nil {
				t.Fatal(err)
			}
			content, err := e.OpenContent(t.Context(), contentOf(t, view.Tree, "/made"))
			if err != nil {
				t.Fatal(err)
			}
			defer content.Close()
			b, err := io.ReadAll(content)
			if err != nil {
				t.Fatal(err)
			}
			seen[i] = string(b)
			known, err := view.Known(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := contentOf(t, known.Tree, "/made"); got != digest.Of(b) {
				t.Errorf("the tree has %s, the file is %q", got, b)
			}
		})
	}
	if seen[0] == seen[1] {
		t.Error("the process did not run again")
	}
}

// "last" is the run that it was when it was asked for, also when another one is last.
func TestARunFromTheLastOneKeepsItsTree(t *testing.T) {
	daemontest.Skip(t)
	store := filepath.Join(t.TempDir(), "store")
	for i, node := range []*graph.Node{
		script(enginetest.Busybox(t), "echo first > /said"),
		graph.New(graph.NewFile{Path: "/z", Content: []byte("z")}, "new", graph.New(graph.From{Source: "last"}, "from")),
		script(enginetest.Busybox(t), "echo second > /said"),
	} {
		name := fmt.Sprint("run ", i)
		t.Run(name, func(t *testing.T) {
			e := open(t, embedded.Options{Store: store, Record: true}, buildkit.Options{})
			if _, err := e.Resolve(t.Context(), node, nil); err != nil {
				t.Fatal(err)
			}
		})
		if i == 0 {
			continue
		}
		t.Run(name+" looked into", func(t *testing.T) {
			e := open(t, embedded.Options{Store: store}, buildkit.Options{})
			runs, err := e.Store().Runs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r, err := e.Resolve(t.Context(), graph.New(graph.From{Source: runs[1].Name + "@2"}, "from"), nil)
			if err != nil {
				t.Fatal(err)
			}
			content, err := e.OpenContent(t.Context(), contentOf(t, r.Tree, "/said"))
			if err != nil {
				t.Fatal(err)
			}
			defer content.Close()
			if b, err := io.ReadAll(content); err != nil || string(b) != "first\n" {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}

// contentOf gives the digest of what a file holds, or what stands for it.
func contentOf(t *testing.T, in tree.Tree, path string) digest.Digest {
	t.Helper()
	e, err := in.Lookup(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return e.(tree.File).Content
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
