package buildkit_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/daemontest"
	"github.com/inlaybuild/inlay/internal/shim"
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
			return contentAt(t, e, r.Tree, "/made")
		},
		"inlay: copy": func(t *testing.T, e *embedded.Engine) string {
			copied := graph.New(graph.Copy{To: "/x", From: []string{"/made"}}, "copy", enginetest.Busybox(t), node)
			return left(t, e, script(copied, "cat /x > /seen"), "/seen")
		},
	} {
		t.Run(kept, func(t *testing.T) {
			d := ownDaemon(t)
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

// A daemon keeps what a process said and what it left apart, and makes what it lacks of
// the two by running it again.
func TestWhatAProcessSaidAndWhatItLeftAreOfOneRun(t *testing.T) {
	daemontest.Skip(t)
	node := script(enginetest.Busybox(t), "cat /proc/sys/kernel/random/uuid | tee /made")
	for _, kept := range []string{"mount / from exec /.inlay/inlay-shim exec", "mount /.inlay/out from exec /.inlay/inlay-shim exec"} {
		t.Run(kept, func(t *testing.T) {
			d := ownDaemon(t)
			made := map[string]bool{}
			for _, when := range []string{"first", "again", "by another client"} {
				if when == "again" {
					forgetAllBut(t, d.Address, kept)
				}
				t.Run(when, func(t *testing.T) {
					made[ofOneRun(t, node, buildkit.Options{Addresses: []daemon.Address{{URL: d.Address}}})] = true
				})
			}
			if len(made) == 1 {
				t.Error("the process did not run again")
			}
		})
	}
}

// A cache within an image has what processes left, and not what they said.
func TestWhatComesOutOfACacheIsOfOneRunWithWhatIsMadeBesideIt(t *testing.T) {
	daemontest.Skip(t)
	node := script(enginetest.Busybox(t), "cat /proc/sys/kernel/random/uuid | tee /made")
	behind := script(node, "cat /made")
	dir, image := t.TempDir(), registry(t)+"/image:1"
	for name, c := range map[string]struct{ to, from engine.Cache }{
		"max": {engine.Cache{Type: "local", Attrs: map[string]string{"dest": dir + "/max"}},
			engine.Cache{Type: "local", Attrs: map[string]string{"src": dir + "/max"}}},
		"min": {engine.Cache{Type: "local", Attrs: map[string]string{"dest": dir + "/min", "mode": "min"}},
			engine.Cache{Type: "local", Attrs: map[string]string{"src": dir + "/min"}}},
		"inline": {engine.Cache{Type: "inline"}, engine.Cache{Type: "registry", Attrs: map[string]string{"ref": image}}},
	} {
		t.Run(name, func(t *testing.T) {
			made := map[string]bool{}
			for i, o := range []buildkit.Options{{CacheTo: []engine.Cache{c.to}}, {CacheFrom: []engine.Cache{c.from}}} {
				d := ownDaemon(t)
				o.Addresses = []daemon.Address{{URL: d.Address}}
				for _, who := range []string{"one client", "another client"} {
					if i == 0 && who == "another client" {
						break // all is there
					}
					t.Run(fmt.Sprint("daemon ", i, " for ", who), func(t *testing.T) {
						said := ofOneRun(t, node, o)
						made[said] = true
						e := open(t, embedded.Options{}, o)
						r, err := e.Resolve(t.Context(), behind, nil)
						if err == nil && name == "inline" && i == 0 {
							_, err = e.Export(t.Context(), r, engine.Place{Scheme: engine.SchemeName, Path: image}, engine.ExportOptions{})
						}
						if err == nil && i == 0 {
							_, err = e.ExportCache(t.Context(), nil)
						}
						if err != nil {
							t.Fatal(err)
						}
						if seen := left(t, e, script(behind, "cat /made > /seen"), "/seen"); seen != said {
							t.Errorf("it said %q, and the next process sees %q", said, seen)
						}
					})
				}
			}
			if want := map[string]int{"max": 1, "min": 1, "inline": 2}[name]; len(made) != want {
				t.Errorf("it ran %d times, want %d", len(made), want)
			}
		})
	}
}

// What a client has read of a daemon before does not change what it asks for: other words
// for the same tree would have a process run again.
func TestWhatWasReadBeforeHasNothingRunAgain(t *testing.T) {
	daemontest.Skip(t)
	busybox := enginetest.Busybox(t)
	says := "cat /proc/sys/kernel/random/uuid > /made"
	for name, node := range map[string]*graph.Node{
		"a process": script(busybox, says),
		"a process that has something mounted": graph.New(graph.Exec{
			Args: []string{"/bin/sh", "-c", says}, Network: graph.NetworkNone,
			Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/mnt", Input: 1}},
		}, "mounted", busybox, graph.New(graph.NewFile{Path: "/file", Content: []byte("mounted")}, "new", graph.New(graph.Scratch{}, "scratch"))),
		"a process behind a composition that a process applies": script(graph.New(graph.Hardlink{Path: "/bin/linked", Target: "/bin/sh"}, "link", script(busybox, "true")), says),
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, embedded.Options{}, buildkit.Options{Addresses: []daemon.Address{address(t)}})
			first := left(t, e, node, "/made")
			for _, n := range []*graph.Node{busybox, node, graph.New(graph.NewFile{Path: "/file", Content: []byte("mounted")}, "new", node)} {
				r, err := e.Resolve(t.Context(), n, nil)
				if err == nil {
					_, err = r.Known(t.Context())
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if again := left(t, e, node, "/made"); again != first {
				t.Errorf("it ran again: it made %q, and then %q", first, again)
			}
		})
	}
}

// A daemon where a process has run itself does not take from a cache what followed from
// another run of it.
func TestWhatFollowsFromAProcessIsOfItsRun(t *testing.T) {
	daemontest.Skip(t)
	// Nothing is made in the root, whose time would tell.
	base := enginetest.Busybox(t)
	for _, p := range []string{"/proc", "/dev", "/sys"} {
		base = graph.New(graph.NewDirectory{Path: p}, "mkdir", base)
	}
	for _, p := range []string{"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"} {
		base = graph.New(graph.NewFile{Path: p, Content: []byte("there")}, "new", base)
	}
	node := script(base, "cat /proc/sys/kernel/random/uuid | tee /bin/made")
	behind := map[string]*graph.Node{
		"a process":               script(node, "cat /bin/made"),
		"a process behind a file": script(graph.New(graph.NewFile{Path: "/bin/new", Content: []byte("new")}, "new", node), "cat /bin/made"),
		"a process behind less":   script(graph.New(graph.Remove{Paths: []string{"/none", "/etc/hosts"}}, "remove", node), "cat /bin/made"),
		"a process that it is mounted for": graph.New(graph.Exec{
			Args: []string{"/bin/sh", "-c", "cat /mnt/bin/made"}, Network: graph.NetworkNone,
			Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/mnt", Input: 1}},
		}, "mounted", enginetest.Busybox(t), node),
		"a process that a file of it is mounted for": graph.New(graph.Exec{
			Args: []string{"/bin/sh", "-c", "cat /mnt"}, Network: graph.NetworkNone,
			Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/mnt", Path: "/bin/made", Input: 1}},
		}, "mounted", enginetest.Busybox(t), node),
	}
	dir := t.TempDir()
	said := func(e *embedded.Engine, n *graph.Node) string {
		t.Helper()
		r, err := e.Resolve(t.Context(), n, nil)
		if err != nil {
			t.Fatal(err)
		}
		return textOf(t, e, r.Exec.Stdout)
	}
	at := func() buildkit.Options {
		d := ownDaemon(t)
		return buildkit.Options{Addresses: []daemon.Address{{URL: d.Address}}}
	}
	first := at()
	first.CacheTo = []engine.Cache{{Type: "local", Attrs: map[string]string{"dest": dir}}}
	ci := open(t, embedded.Options{}, first)
	there := said(ci, node)
	for what, n := range behind {
		if got := said(ci, n); got != there {
			t.Errorf("%s sees %q, want %q", what, got, there)
		}
	}
	if _, err := ci.ExportCache(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	own, fresh := at(), at()
	here := said(open(t, embedded.Options{}, own), node)
	for _, o := range []*buildkit.Options{&own, &fresh} {
		o.CacheFrom = []engine.Cache{{Type: "local", Attrs: map[string]string{"src": dir}}}
	}
	for _, c := range []struct {
		o    buildkit.Options
		want string
	}{{own, here}, {fresh, there}} {
		e := open(t, embedded.Options{}, c.o)
		if got := said(e, node); got != c.want {
			t.Errorf("the process says %q, want %q", got, c.want)
		}
		for what, n := range behind {
			if got := said(e, n); got != c.want {
				t.Errorf("%s sees %q, want %q", what, got, c.want)
			}
		}
	}
}

// ofOneRun gives what a process said, which must be what it left in /made.
func ofOneRun(t *testing.T, node *graph.Node, o buildkit.Options) string {
	t.Helper()
	e := open(t, embedded.Options{}, o)
	r, err := e.Resolve(t.Context(), node, nil)
	if err != nil {
		t.Fatal(err)
	}
	said := textOf(t, e, r.Exec.Stdout)
	if left := contentAt(t, e, r.Tree, "/made"); left != said {
		t.Errorf("it said %q and left %q", said, left)
	}
	return said
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
	return contentAt(t, e, r.Tree, path)
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

// The name of a run that a daemon has is part of no tree, wherever the root that it is of
// goes.
func TestNoTreeHasTheNameOfARun(t *testing.T) {
	made := script(enginetest.Busybox(t), "echo > /made")
	into := graph.New(graph.Copy{To: "/x/", From: []string{"/"}, Options: graph.CopyOptions{Contents: true}}, "copy", enginetest.Busybox(t), made)
	as := graph.New(graph.Copy{To: "/y", From: []string{"/"}}, "copy", into, made)
	for name, o := range map[string]buildkit.Options{"merge": {}, "copy": {Copy: true}, "apply": {Apply: true}} {
		t.Run(name, func(t *testing.T) {
			e := open(t, embedded.Options{}, o)
			last := script(script(as, "echo > /y/more"), "cp -a /x /z")
			image := registry(t) + "/image:1"
			for i, n := range []*graph.Node{as, last, graph.New(graph.From{Source: image}, "from")} {
				if i == 2 && name != "merge" {
					break // one image says it
				}
				e := e
				if i == 2 {
					e = openHere(t, embedded.Options{})
				}
				r, err := e.Resolve(t.Context(), n, nil)
				if err == nil && n == last && name == "merge" {
					_, err = e.Export(t.Context(), r, engine.Place{Scheme: engine.SchemeName, Path: image}, engine.ExportOptions{})
				}
				if err == nil {
					r, err = r.Known(t.Context())
				}
				if err != nil {
					t.Fatal(err)
				}
				entries := 0
				for it, err := range tree.Walk(t.Context(), r.Tree, tree.WalkOptions{}) {
					if err != nil {
						t.Fatal(err)
					}
					entries++
					if v, ok := it.Entry.Attr().Xattrs.Get(shim.RunAttr); ok {
						t.Errorf("%s has %q", it.Path, v)
					}
				}
				if v, ok := r.Tree.Attr().Xattrs.Get(shim.RunAttr); ok || entries < 5 {
					t.Errorf("the root, with %d entries, has %q", entries, v)
				}
			}
		})
	}
}
