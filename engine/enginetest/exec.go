package enginetest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

// SecretValue is the value that [Secret] gives.
const SecretValue = "correct horse battery staple"

// Secret gives the values of the secrets that [RunExec] uses. The engine must be
// opened with it.
func Secret(_ context.Context, name string) ([]byte, error) {
	if name != "env:LAW" {
		return nil, fmt.Errorf("the laws have no secret %s", name)
	}
	return []byte(SecretValue + "\n"), nil
}

// Busybox gives a root with little but a static busybox.
func Busybox(t testing.TB) *graph.Node {
	t.Helper()
	program, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs a static busybox: Debian's busybox-static")
	}
	host := graph.New(graph.Host{Path: program, File: true}, "HostFile")
	n := put(of("usr/bin/", "bin -> usr/bin", "tmp 1777", "etc/passwd=root:x:0:0::/root:/bin/sh\nann:x:8:9::/home/ann:/bin/sh\n", "etc/group=root:x:0:\nstaff:x:50:ann\n"),
		"/bin/busybox", host, "/busybox", graph.CopyOptions{Mode: "755", Owner: "0:0"})
	for _, applet := range strings.Fields("sh cat ls ln mkdir mv rm cp chmod chown touch id pwd env echo test mknod mkfifo stat sleep yes head readlink dd ip") {
		n = entry(n, "bin/"+applet+" -> busybox")
	}
	return n
}

// shell gives the node of a script that runs in a root.
func shell(n *graph.Node, script string) *graph.Node { return process(n, graph.Exec{}, script) }

func process(n *graph.Node, x graph.Exec, script string, mounted ...*graph.Node) *graph.Node {
	x.Args = []string{"/bin/sh", "-ec", script}
	return on(n, x, mounted...)
}

// part gives a directory of a node, its entries with time zero.
func part(n *graph.Node, at string) *graph.Node {
	var zero int64
	return put(of(), "/", on(n, graph.Sub{Path: at}), "/", graph.CopyOptions{Contents: true, Time: &zero})
}

// RunExec tests what an engine makes of processes.
func RunExec(t *testing.T, open Open) {
	e := open(t)
	root := Busybox(t)
	for _, l := range append(execLaws(root), mountPointLaws(root)...) {
		t.Run(l.name, func(t *testing.T) { l.hold(t, e) })
	}
	t.Run("what processes say", func(t *testing.T) { outputs(t, e, root) })
	t.Run("failures", func(t *testing.T) { failures(t, e, root) })
	t.Run("traces", func(t *testing.T) { traces(t, e, root) })
}

// execLaws are what becomes of what a process writes.
func execLaws(root *graph.Node) []law {
	w := put(root, "/w", of("a/x=1", "a/y=2", "b/c/z=3", "f=old 600 1:2", "l -> a"), "/", contents)
	after := func(script string) *graph.Node { return part(shell(w, "cd /w; "+script), "/w") }
	all := []string{"a/", "a/x=1", "a/y=2", "b/", "b/c/", "b/c/z=3", "f=old 600 1:2", "l -> a"}
	but := func(drop string, add ...string) []string {
		out := slices.DeleteFunc(slices.Clone(all), func(s string) bool {
			return slices.ContainsFunc(strings.Fields(drop), func(d string) bool { return s == d || strings.HasPrefix(s, d+"=") || strings.HasPrefix(s, d+" ") })
		})
		return slices.Sorted(slices.Values(append(out, add...)))
	}
	return []law{
		{name: "new entries", node: after("mkdir n; echo hi > n/f; ln -s f n/l; mkfifo n/p; chmod 4711 n/f"), want: but("", "n/", "n/f=hi\n 4711", "n/l -> f", "n/p fifo")},
		{name: "content changed", node: after("echo new >> f"), want: but("f", "f=oldnew\n 600 1:2")},
		{name: "mode and owner changed, and content kept", node: after("chown 5:6 f; chmod 2755 f"), want: but("f", "f=old 2755 5:6")},
		{name: "entries removed", node: after("rm -r a/x b"), want: but("a/x b/ b/c/ b/c/z")},
		{name: "a directory removed and made again", node: after("rm -r a; mkdir a; echo -n 9 > a/n"), want: but("a/x a/y", "a/n=9")},
		{name: "a directory renamed", node: after("mv b q"), want: but("b/ b/c/ b/c/z", "q/", "q/c/", "q/c/z=3")},
		{name: "a directory renamed and changed", node: after("mv b q; echo -n 4 > q/c/n; rm q/c/z"), want: but("b/ b/c/ b/c/z", "q/", "q/c/", "q/c/n=4")},
		{name: "a file renamed", node: after("mv f g"), want: but("f", "g=old 600 1:2")},
		{name: "a directory in place of a file", node: after("rm f; mkdir f; touch f/n"), want: but("f", "f/", "f/n=")},
		{name: "a file in place of a directory", node: after("rm -r b; echo -n 1 > b"), want: but("b/ b/c/ b/c/z", "b=1")},
		{name: "hardlinks made", node: after("ln a/x a/w"), want: but("a/x", "a/w=1", "a/x=1 ~a/w")},
		{name: "hardlinks of new files", node: after("echo -n n > n; ln n b/n"), want: but("", "b/n=n", "n=n ~b/n")},
		{name: "written through a symlink", node: after("echo -n n > l/n"), want: but("", "a/n=n")},
		{name: "a name of a whiteout is a name", node: after("touch .wh.f .wh..wh..opq"), want: but("", ".wh..wh..opq=", ".wh.f=")},
		{name: "a file larger than a pipe", node: after("yes | head -c 3000000 > big"), want: but("", "big=3000000 bytes")},
		{name: "processes one after another", node: part(shell(shell(shell(w, "rm /w/f"), "echo -n 1 > /w/f"), "echo -n 2 >> /w/f; rm -r /w/b"), "/w"), want: but("b/ b/c/ b/c/z f", "f=12")},
		{name: "a copy after a process", node: put(after("rm -r a"), "/l/new", of("x=1"), "/x", graph.CopyOptions{}), want: []string{"a/", "a/new=1", "b/", "b/c/", "b/c/z=3", "f=old 600 1:2", "l -> a"}},
	}
}

// output gives what the last process of a node wrote.
func output(t testing.TB, e engine.Engine, n *graph.Node) (stdout, stderr string, r engine.Result) {
	t.Helper()
	r, err := e.Resolve(t.Context(), n, nil)
	if err != nil {
		var x *engine.ExecError
		if errors.As(err, &x) {
			t.Fatalf("%v\n%s%s", err, x.Stdout, x.Stderr)
		}
		t.Fatal(err)
	}
	if r.Exec == nil {
		t.Fatal("the result has no output")
	}
	return said(t, e, r.Exec.Stdout), said(t, e, r.Exec.Stderr), r
}

func said(t testing.TB, e engine.Engine, f tree.File) string {
	t.Helper()
	b, err := read(t, e, f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// outputs tests what processes see and say.
func outputs(t *testing.T, e engine.Engine, root *graph.Node) {
	s := func(s string) *string { return &s }
	mounted := of("d/f=1", "l -> d/f", "d/x=2 600")
	for _, c := range []struct {
		name string
		node *graph.Node
		want string
	}{
		{"stdout", shell(root, "echo out; echo err >&2"), "out\n"},
		{"stdin", process(root, graph.Exec{Stdin: []byte("in\n")}, "cat"), "in\n"},
		{"environment", process(on(root, graph.Configure{Env: []graph.EnvChange{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}}}), graph.Exec{Env: []string{"A=3"}}, "echo $A$B $HOME"), "32 /root\n"},
		{"working directory", shell(on(entry(root, "w/d/"), graph.Configure{Workdir: s("/w/d")}), "pwd"), "/w/d\n"},
		{"user by name", shell(on(root, graph.Configure{User: s("ann")}), "id -u; id -g; id -G; echo $HOME"), "8\n9\n9 50\n/home/ann\n"},
		{"user by number", shell(on(root, graph.Configure{User: s("7:50")}), "id -u; id -G"), "7\n50\n"},
		{"user and group by name", shell(on(root, graph.Configure{User: s("ann:staff")}), "id -u; id -g"), "8\n50\n"},
		{"entrypoint and arguments", on(on(root, graph.Configure{Entrypoint: &[]string{"/bin/echo", "e"}, DefaultArgs: &[]string{"d"}}), graph.Exec{UseEntrypoint: true}), "e d\n"},
		{"entrypoint and own arguments", on(on(root, graph.Configure{Entrypoint: &[]string{"/bin/echo", "e"}, DefaultArgs: &[]string{"d"}}), graph.Exec{UseEntrypoint: true, Args: []string{"o"}}), "e o\n"},
		{"no network", process(root, graph.Exec{Network: graph.NetworkNone}, "ls /sys/class/net"), "lo\n"},
		{"a mounted directory", process(root, graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/m/n", Input: 1}}}, "cat /m/n/d/f; ls /m/n; echo 3 > /m/n/d/new", mounted), "1d\nl\n"},
		{"a mounted part", process(root, graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/m", Input: 1, Path: "/d"}}}, "cat /m/f /m/x", mounted), "12"},
		{"a mounted file, by a symlink", process(root, graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/m", Input: 1, Path: "/l"}}}, "cat /m", mounted), "1"},
		{"a mount through a symlink of the root", process(root, graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/bin/m", Input: 1}}}, "cat /usr/bin/m/d/f", mounted), "1"},
		{"a mount hides what is there", process(entry(root, "m/old=1"), graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/m", Input: 1}}}, "ls /m", mounted), "d\nl\n"},
		{"a temporary directory", process(root, graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountTemp, Target: "/m"}}}, "echo 1 > /m/f; cat /m/f"), "1\n"},
		{"a secret, masked", process(root, graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountSecret, Target: "/run/s", Name: "env:LAW"}}}, "cat /run/s; stat -c %a:%u /run/s"), "***\n400:0\n"},
		{"a secret of another mode and owner", process(root, graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountSecret, Target: "/run/s", Name: "env:LAW", Mode: 0o444, Owner: "ann"}}}, "stat -c %a:%u /run/s"), "444:8\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, r := output(t, e, c.node)
			if got != c.want {
				t.Errorf("it said %q, want %q", got, c.want)
			}
			left, err := treeOf(t.Context(), e, r)
			if err != nil {
				t.Fatal(err)
			}
			if changed := diffed(t, e, c.node.Inputs()[0], left); len(changed) > 0 {
				t.Errorf("what was mounted left %s", changed)
			}
		})
	}
	cache := func(script string) *graph.Node {
		return process(root, graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountCache, Target: "/c", Name: "law"}}}, script)
	}
	t.Run("a cache stays", func(t *testing.T) {
		output(t, e, cache("echo kept > /c/f"))
		if got, _, _ := output(t, e, cache("cat /c/f")); got != "kept\n" {
			t.Errorf("the cache had %q", got)
		}
	})
	t.Run("stderr", func(t *testing.T) {
		if _, got, _ := output(t, e, shell(root, "echo err >&2")); got != "err\n" {
			t.Errorf("it said %q", got)
		}
	})
}

// diffed gives what differs between a node's tree and another one.
func diffed(t testing.TB, e engine.Engine, n *graph.Node, other tree.Tree) []string {
	t.Helper()
	r, err := e.Resolve(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Tree.Digest() == other.Digest() {
		return nil
	}
	before, after := listing(t, e, r.Tree), listing(t, e, other)
	out := []string{"a difference:"}
	for _, l := range after {
		if !slices.Contains(before, l) {
			out = append(out, "+"+l)
		}
	}
	for _, l := range before {
		if !slices.Contains(after, l) {
			out = append(out, "-"+l)
		}
	}
	return out
}

// failures tests how processes fail.
func failures(t *testing.T, e engine.Engine, root *graph.Node) {
	failed := func(n *graph.Node) *engine.ExecError {
		t.Helper()
		_, err := e.Resolve(t.Context(), n, nil)
		var x *engine.ExecError
		if !errors.As(err, &x) {
			t.Fatalf("error %v, want that of an exec", err)
		}
		var ce *graph.CallError
		if !errors.As(err, &ce) {
			t.Errorf("error %v names no call", err)
		}
		return x
	}
	if x := failed(shell(root, "echo out; echo err >&2; exit 7")); x.ExitCode != 7 || string(x.Stdout) != "out\n" || string(x.Stderr) != "err\n" {
		t.Errorf("got %+v", x)
	}
	for name, c := range map[string]struct {
		node   *graph.Node
		mounts []graph.Mount
		reason string
	}{
		"below a file":                     {root, []graph.Mount{{Kind: graph.MountTemp, Target: "/etc/passwd/x"}}, "mount point /etc/passwd/x: not a directory"},
		"below a file that is mounted":     {root, []graph.Mount{{Kind: graph.MountTree, Target: "/m", Input: 1}, {Kind: graph.MountTemp, Target: "/m/f/x"}}, "not a directory"},
		"above what is not there":          {entry(root, "odd -> no/../x"), []graph.Mount{{Kind: graph.MountTemp, Target: "/odd/x"}}, "mount point /odd/x: no such file or directory"},
		"above a file":                     {entry(root, "odd -> etc/passwd/../x"), []graph.Mount{{Kind: graph.MountTemp, Target: "/odd/x"}}, "mount point /odd/x: not a directory"},
		"of ours above what is not there":  {of("etc -> no/../"), nil, "mount point /etc/hostname: no such file or directory"},
		"of ours above a file":             {of("a=2", "etc -> ../a/../"), nil, "mount point /etc/hostname: not a directory"},
		"through symlinks that go nowhere": {entry(root, "loop -> loop"), []graph.Mount{{Kind: graph.MountTemp, Target: "/loop/x"}}, "mount point /loop/x: too many levels of symbolic links"},
	} {
		x := failed(process(c.node, graph.Exec{Mounts: c.mounts}, "true", of("f=1")))
		if x.ExitCode != 125 || !strings.HasSuffix(x.Reason, c.reason) {
			t.Errorf("a mount %s: code %d, %q, want 125, %q", name, x.ExitCode, x.Reason, c.reason)
		}
	}
	if x := failed(on(root, graph.Exec{Args: []string{"/no/such"}})); x.ExitCode != 127 || x.Reason == "" {
		t.Errorf("got %+v", x)
	}
	if x := failed(on(root, graph.Exec{Args: []string{"/etc/passwd"}})); x.ExitCode != 126 || x.Reason == "" {
		t.Errorf("got %+v", x)
	}
	if x := failed(shell(root, "sh -c 'kill -9 $$' || exit $?")); x.ExitCode != 137 {
		t.Errorf("got %+v", x)
	}
	if x := failed(process(root, graph.Exec{Expect: []int{3}}, "exit 0")); x.ExitCode != 0 {
		t.Errorf("got %+v", x)
	}
	r, err := e.Resolve(t.Context(), process(root, graph.Exec{Expect: []int{0, 3}}, "exit 3"), nil)
	if err != nil || r.Exec.ExitCode != 3 {
		t.Errorf("an exit code that is expected: %v", err)
	}
	user := "nobody-here"
	if _, err := e.Resolve(t.Context(), shell(on(root, graph.Configure{User: &user}), "true"), nil); err == nil || !strings.Contains(err.Error(), user) {
		t.Errorf("an unknown user: %v", err)
	}
	bad := graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountSecret, Target: "/s", Name: "env:NONE"}}}
	if _, err := e.Resolve(t.Context(), process(root, bad, "true"), nil); err == nil || !strings.Contains(err.Error(), "env:NONE") {
		t.Errorf("an unknown secret: %v", err)
	}
	gone := graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/m", Input: 1, Path: "/no"}}}
	if _, err := e.Resolve(t.Context(), process(root, gone, "true", of()), nil); err == nil || !strings.Contains(err.Error(), "/m") {
		t.Errorf("a mount of what does not exist: %v", err)
	}
}

// traces tests what decides whether a process runs again.
func traces(t *testing.T, e engine.Engine, root *graph.Node) {
	s := func(s string) *string { return &s }
	ran := func(n *graph.Node) bool {
		t.Helper()
		ran := false
		_, err := e.Resolve(t.Context(), n, engine.SinkFunc(func(ev engine.Event) {
			if end, ok := ev.(engine.StepEnded); ok && end.Step >= 0 {
				ran = !end.Cached
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		return ran
	}
	n := put(root, "/w", of("a=1", "b=2"), "/", contents)
	if !ran(shell(n, "echo 1 > /w/c")) {
		t.Fatal("the first time it did not run")
	}
	same := entry(on(put(root, "/w", of("x=9", "b=2"), "/", contents), graph.Remove{Paths: []string{"/w/x"}}), "w/a=1")
	if ran(shell(same, "echo 1 > /w/c")) {
		t.Error("another way to the same tree ran it again")
	}
	for name, n := range map[string]*graph.Node{
		"other arguments":         shell(n, "echo 1  > /w/c"),
		"another tree":            shell(entry(n, "w/d=1"), "echo 1 > /w/c"),
		"another variable":        process(n, graph.Exec{Env: []string{"A=1"}}, "echo 1 > /w/c"),
		"a configured variable":   shell(on(n, graph.Configure{Env: []graph.EnvChange{{Name: "A", Value: "2"}}}), "echo 1 > /w/c"),
		"another directory":       shell(on(n, graph.Configure{Workdir: s("/w")}), "echo 1 > /w/c"),
		"another user":            shell(on(n, graph.Configure{User: s("0:9")}), "echo 1 > /w/c"),
		"another network":         process(n, graph.Exec{Network: graph.NetworkNone}, "echo 1 > /w/c"),
		"another input":           process(n, graph.Exec{Stdin: []byte("x")}, "echo 1 > /w/c"),
		"asked to run again":      process(n, graph.Exec{NoCache: "1"}, "echo 1 > /w/c"),
		"a mount":                 process(n, graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountTemp, Target: "/m"}}}, "echo 1 > /w/c"),
		"a mounted tree":          process(n, graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/m", Input: 1}}}, "echo 1 > /w/c", of("a=1")),
		"a mounted tree, changed": process(n, graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/m", Input: 1}}}, "echo 1 > /w/c", of("a=2")),
	} {
		if !ran(n) {
			t.Errorf("%s: it did not run", name)
		}
		if ran(n) {
			t.Errorf("%s: it ran twice", name)
		}
	}
}
