package buildkit_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/tree"
)

// composed gives a file that a process left, put into what another one left.
func composed(t testing.TB) *graph.Node {
	t.Helper()
	tools := graph.New(graph.Host{Path: "/usr/bin"}, "tools")
	root := graph.New(graph.Copy{To: "/bin/", From: []string{"/busybox"}}, "root", graph.New(graph.Scratch{}, "scratch"), tools)
	run := func(name string) *graph.Node {
		return graph.New(graph.Exec{Args: []string{"/bin/busybox", "sh", "-c", "echo " + name + " > /" + name}}, name, root)
	}
	return graph.New(graph.Copy{To: "/new/a", From: []string{"/a"}}, "copy", run("b"), run("a"))
}

// The digest of a tree is the planner's, and nobody is told one that the daemon
// would not give: what it makes is read there and held against it.
func TestADaemonThatMakesSomethingElseIsNoticed(t *testing.T) {
	if _, err := exec.LookPath("busybox"); err != nil {
		t.Skip("needs a static busybox")
	}
	for _, c := range []struct {
		name  string
		lies  []engine.LoweringKind
		lower engine.LoweringKind // how it is made in the end
		err   string
	}{
		{"never", nil, "", ""},
		{"about merges", []engine.LoweringKind{engine.LowerMerge, engine.LowerCopy}, engine.LowerApply, ""},
		{"about all", []engine.LoweringKind{engine.LowerMerge, engine.LowerCopy, engine.LowerApply}, "", "something else at /lie"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var remote *buildkit.Remote
			o := embedded.Options{Remote: func(l engine.Local) (engine.Remote, error) {
				var err error
				remote, err = buildkit.New(buildkit.Options{Addresses: []daemon.Address{address(t)}}, l)
				return remote, err
			}}
			e := openHere(t, o)
			var lowered []engine.Lowering
			r, err := e.Resolve(t.Context(), composed(t), engine.SinkFunc(func(ev engine.Event) {
				if l, ok := ev.(engine.Lowered); ok {
					lowered = append(lowered, l.Lowering)
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			lowered = nil // those of the processes
			remote.Lie(func(s llb.State, how engine.LoweringKind) llb.State {
				for _, l := range c.lies {
					if l == how {
						return s.File(llb.Mkfile("/lie", 0o644, []byte("lie")))
					}
				}
				return s
			})
			want, err := r.Whole(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Known(t.Context())
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil || got.Tree.Digest() != want.Tree.Digest() {
				t.Fatalf("%v, the tree is %s, want %s", err, got.Tree.Digest(), want.Tree.Digest())
			}
			switch {
			case c.lower == "" && len(lowered) > 0:
				t.Errorf("it told %+v", lowered)
			case c.lower != "" && (len(lowered) != 1 || lowered[0].How != c.lower || !strings.Contains(lowered[0].Why, "/lie")):
				t.Errorf("it told %+v, want %s because of /lie", lowered, c.lower)
			}
		})
	}
}

// A list does not tell which symlinks, fifos and empty files are names of one inode.
func TestNamesOfOneInodeStayThatWhenTheyAreCopiedOutOfAList(t *testing.T) {
	if _, err := exec.LookPath("busybox"); err != nil {
		t.Skip("needs a static busybox")
	}
	for name, more := range map[string]string{
		"a list of a daemon":     "",
		"a list out of a survey": "; for i in $(/bin/busybox seq 70); do : > $i; done",
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, embedded.Options{}, buildkit.Options{})
			made := graph.New(graph.Exec{Args: sh("mkdir /d; cd /d; ln -s to a; ln a b; /bin/busybox mkfifo f; ln f g; : > e; ln e h; ln -s to other; : > empty" + more)}, "made", composed(t))
			n := graph.New(graph.Copy{To: "/w/", From: []string{"/d/*"}, Options: graph.CopyOptions{KeepLink: true}}, "copy", composed(t), made)
			n = graph.New(graph.Exec{Args: sh(": > /w/new")}, "exec", n)
			r, err := e.Resolve(t.Context(), n, nil)
			if err == nil {
				r, err = r.Known(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			for p, want := range map[string]int{"/w/a": 2, "/w/f": 2, "/w/e": 2, "/w/other": 1, "/w/empty": 1, "/w/new": 1} {
				if group, err := r.Tree.LinkGroup(t.Context(), p); err != nil || len(group) != want {
					t.Errorf("%s is one of %q (%v), want %d", p, group, err, want)
				}
			}
		})
	}
}

// A daemon has no result for what has nothing in it.
func TestATreeThatIsLeftWithNothingInItIsKnown(t *testing.T) {
	if _, err := exec.LookPath("busybox"); err != nil {
		t.Skip("needs a static busybox")
	}
	e := open(t, embedded.Options{}, buildkit.Options{})
	n := graph.New(graph.Exec{Args: []string{"/bin/busybox", "mkdir", "/empty"}}, "mkdir", composed(t))
	n = graph.New(graph.Sub{Path: "/empty"}, "directory", n)
	r, err := e.Resolve(t.Context(), n, nil)
	if err == nil {
		r, err = r.Known(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Tree.With(tree.Empty().Attr()).Digest(); got != tree.Empty().Digest() {
		t.Errorf("the tree is %s", got)
	}
}

// What is planned over what a daemon holds asks for each directory once, and not
// again in a later run.
func TestADirectoryIsListedOnceInAllRuns(t *testing.T) {
	if _, err := exec.LookPath("busybox"); err != nil {
		t.Skip("needs a static busybox")
	}
	store := filepath.Join(t.TempDir(), "store")
	var asked []int
	for _, script := range []string{"echo 1 > /d/e/f", "echo 1 > /d/e/f", "echo 2 > /d/e/f"} {
		var remote *buildkit.Remote
		e, err := embedded.Open(t.Context(), embedded.Options{Store: store, Secret: enginetest.Secret, Remote: func(l engine.Local) (engine.Remote, error) {
			var err error
			remote, err = buildkit.New(buildkit.Options{Addresses: []daemon.Address{address(t)}}, l)
			return remote, err
		}})
		if err != nil {
			t.Fatal(err)
		}
		made := graph.New(graph.Exec{Args: sh("mkdir -p /d/e; " + script)}, "made", composed(t))
		n := graph.New(graph.NewFile{Path: "/d/e/new", Content: []byte("new")}, "new", made)
		n = graph.New(graph.Exec{Args: sh("cat /d/e/f /d/e/new")}, "cat", n)
		r, err := e.Resolve(t.Context(), n, nil)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := r.Tree.Lookup(t.Context(), "/d/e/f"); err != nil || e.Kind() != tree.KindFile {
			t.Errorf("%v, %v", e, err)
		}
		asked = append(asked, remote.Asked())
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if asked[0] == 0 || asked[1] != 0 || asked[2] == 0 {
		t.Errorf("it asked for %v directories, want none the second time", asked)
	}
}
