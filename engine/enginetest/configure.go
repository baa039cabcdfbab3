package enginetest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
)

// configuration tests what the configuration becomes, and what inherits it.
func configuration(t *testing.T, e engine.Engine) {
	s := func(s string) *string { return &s }
	l := func(l ...string) *[]string { return &l }
	n := on(of("d/x=1"), graph.Configure{
		Env:     []graph.EnvChange{{Name: "A", Value: "1"}, {Name: "B", Value: "$A-${A}", Expand: true}, {Name: "C", Value: "$A"}},
		Workdir: s("/w"), User: s("ann"), Entrypoint: l("/e"), DefaultArgs: l("x", "y"),
		Labels: map[string]string{"k": "v", "j": "u"}, ExposedPorts: []string{"80", "53/udp"}, Volumes: []string{"/v"}, StopSignal: s("SIGINT"),
	})
	n = on(n, graph.Configure{Env: []graph.EnvChange{{Name: "A", Value: "2"}, {Name: "C", Unset: true}}, Workdir: s("sub/.."), WithoutLabel: []string{"j"}})
	want := image.RunConfig{
		Env: []string{"A=2", "B=1-1"}, WorkingDir: "/w", User: "ann", Entrypoint: []string{"/e"}, Cmd: []string{"x", "y"},
		Labels: map[string]string{"k": "v"}, ExposedPorts: map[string]struct{}{"80/tcp": {}, "53/udp": {}}, Volumes: map[string]struct{}{"/v": {}}, StopSignal: "SIGINT",
	}
	for name, n := range map[string]*graph.Node{
		"itself":           n,
		"after a copy":     put(n, "/", of("y=1"), "/", contents),
		"after a new file": entry(n, "y=1"),
		"after a merge":    on(n, graph.Merge{}, of("y=1")),
		"after removal":    on(n, graph.Remove{Paths: []string{"/d"}}),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := e.Resolve(t.Context(), n, nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, r.Config.Run()); d != "" {
				t.Error(d)
			}
		})
	}
	r, err := e.Resolve(t.Context(), on(n, graph.Sub{Path: "/d"}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if run := r.Config.Run(); len(run.Env) > 0 || run.User != "" || run.Entrypoint != nil {
		t.Errorf("a directory taken from an image has its configuration: %+v", run)
	}
}

// digests tests that a tree's digest depends on its entries alone.
func digests(t *testing.T, e engine.Engine) {
	same := []*graph.Node{
		of("a/x=1", "b=2"),
		of("b=2", "a/", "a/x=1"),
		put(of("b=2"), "/a/", of("x=1"), "/x", graph.CopyOptions{}),
		on(of("a/x=1"), graph.Merge{}, of("b=2")),
		on(of("a/x=1", "b=2", "c=3"), graph.Remove{Paths: []string{"/c"}}),
		on(of("q/a/x=1", "q/b=2"), graph.Sub{Path: "/q"}),
	}
	var all []string
	for _, n := range append(same, of("a/x=1", "b=2 600"), of("a/x=1", "b=2 @1"), of("a/x=1", "b=2 1:1"), of("a/x=1"), of()) {
		r, err := e.Resolve(t.Context(), n, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r.Tree.Digest().String())
	}
	for i := range same {
		if all[i] != all[0] {
			t.Errorf("way %d to the same tree gives %s, not %s", i, all[i], all[0])
		}
	}
	others := slices.Sorted(slices.Values(all[len(same)-1:]))
	if len(slices.Compact(others)) != len(all)-len(same)+1 {
		t.Errorf("different trees have the same digest: %s", others)
	}
}

// callErrors tests that errors name the call that made the node.
func callErrors(t *testing.T, e engine.Engine) {
	for _, n := range []*graph.Node{
		graph.New(graph.NewFile{Path: "/"}, "the call", of()),
		graph.New(graph.Copy{To: "/a/b", From: []string{"/x"}}, "the call", of("a=1"), of("x=1")),
		graph.New(graph.Sub{Path: "/no"}, "the call", of()),
		graph.New(graph.Host{Path: "/no/such/directory"}, "the call"),
		graph.New(graph.From{Source: "dir:/no/such/directory"}, "the call"),
	} {
		// It is also found below others.
		_, err := e.Resolve(t.Context(), on(of(), graph.Merge{}, of("a=1"), entry(n, "z=1")), nil)
		var ce *graph.CallError
		if !errors.As(err, &ce) || ce.Call != "the call" || strings.Count(err.Error(), "the call") != 1 {
			t.Errorf("%s: error %v does not name the call once", n.Op().Name(), err)
		}
	}
}

// hardlinks tests groups of names, from a directory of the host.
func hardlinks(t *testing.T, e engine.Engine) {
	dir := t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "d"), 0o755),
		os.WriteFile(filepath.Join(dir, "d/a"), []byte("1"), 0o644),
		os.Link(filepath.Join(dir, "d/a"), filepath.Join(dir, "d/b")),
		os.Link(filepath.Join(dir, "d/a"), filepath.Join(dir, "d/c")),
		os.WriteFile(filepath.Join(dir, "d/.hidden"), []byte("2"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var zero int64
	host := func(h graph.Host) *graph.Node {
		h.Path = dir
		return put(of(), "/", graph.New(h, "host"), "/", graph.CopyOptions{Contents: true, Time: &zero, Mode: "u=rwX,go=rX"})
	}
	all := host(graph.Host{})
	for _, l := range []law{
		{name: "names of one inode stay so", node: all, want: []string{"d/", "d/.hidden=2", "d/a=1", "d/b=1 ~d/a", "d/c=1 ~d/a"}},
		{name: "a name that is replaced leaves its group", node: entry(all, "d/a=9"), want: []string{"d/", "d/.hidden=2", "d/a=9", "d/b=1", "d/c=1 ~d/b"}},
		{name: "a group is copied as one", node: put(of("d/b=0"), "/d", all, "/d", contents), want: []string{"d/", "d/.hidden=2", "d/a=1", "d/b=1 ~d/a", "d/c=1 ~d/a"}},
		{name: "one name alone is a file of its own", node: put(of(), "/x", all, "/d/b", graph.CopyOptions{}), want: []string{"x=1"}},
		{name: "include and exclude choose", node: host(graph.Host{Include: []string{"d"}, Exclude: []string{"**/.hidden", "d/c"}}), want: []string{"d/", "d/a=1", "d/b=1 ~d/a"}},
	} {
		t.Run(l.name, func(t *testing.T) { l.hold(t, e) })
	}
}
