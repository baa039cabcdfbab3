package enginetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/treetest"
)

// applets are the programs of the root that processes run in.
const applets = "sh cat ls ln mkdir mv rm cp chmod chown touch id pwd env echo test mknod mkfifo stat sleep head sort find seq"

// processRoot writes the root that processes run in to a directory, and gives the
// step that reads it.
func processRoot(t testing.TB, dir string) step {
	t.Helper()
	program, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs a static busybox: Debian's busybox-static")
	}
	body, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	lines := "bin -> usr/bin\ntmp/ {1777}\nw/\nusr/bin/busybox = \"\" {0755}\n" +
		"etc/passwd = \"root:x:0:0::/root:/bin/sh\\nann:x:8:9::/home/ann:/bin/sh\\n\"\netc/group = \"root:x:0:\\nstaff:x:50:ann\\n\"\n"
	for _, a := range strings.Fields(applets) {
		lines += "usr/bin/" + a + " -> busybox\n"
	}
	l := treetest.MustParse(lines)
	b := l.Find("/usr/bin/busybox")
	b.Text, b.Size = string(body), int64(len(body))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := treetest.Write(l, dir); err != nil {
		t.Fatal(err)
	}
	return step{op: graph.Host{Path: dir, KeepOwner: true}}
}

// exec adds a process, with what it needs: in a root of its own, the tree at /w,
// or in the tree itself.
func (d *drawer) exec() {
	d.execs--
	tree := d.at
	if !d.limits.NoOddRoots && d.one(6) {
		d.lend()
		d.process()
		return
	}
	d.at = d.add(d.root)
	d.on(graph.Copy{To: "/w", From: []string{"/"}, Options: graph.CopyOptions{Contents: true, Overlay: d.one(4)}}, tree)
	d.process()
	if d.one(2) {
		d.now = inRoot(d.now)
		return
	}
	d.on(graph.Sub{Path: "/w"})
}

// inRoot gives about what the root is with a tree at /w.
func inRoot(l treetest.Listing) treetest.Listing {
	root := treetest.MustParse("bin -> usr/bin\ntmp/ {1777}\nusr/bin/\netc/\nw/\n")
	o, _ := treetest.Case{Verb: "directory", Args: []string{"/w"}, Dst: root, Src: l}.Run(context.Background())
	return o.Tree
}

// lend puts a shell into the tree, whatever stands there.
func (d *drawer) lend() {
	root := d.add(d.root)
	o := graph.CopyOptions{Overlay: d.one(2)}
	d.on(graph.Copy{To: "/bin/sh", From: []string{"/usr/bin/busybox"}, Options: o}, root)
	if d.one(2) {
		d.on(graph.Copy{To: "/bin/", From: []string{"/usr/bin/*"}, Options: graph.CopyOptions{KeepLink: true, Overlay: o.Overlay}}, root)
	}
}

// process adds a process on the chain.
func (d *drawer) process() {
	s := func(s string) *string { return &s }
	if d.one(5) {
		d.on(graph.Configure{User: s(pick(d, []string{"ann", "7:50", "ann:staff", "0"}))})
	}
	if d.one(4) {
		d.on(graph.Configure{Env: []graph.EnvChange{{Name: "A", Value: "conf"}}})
	}
	x := graph.Exec{Network: graph.NetworkNone}
	if d.one(3) {
		x.Env = []string{"A=é 1", "B="}
	}
	if d.one(3) {
		x.Stdin = []byte("from stdin\n")
	}
	var more []int
	if !d.limits.NoMounts {
		more = d.mounts(&x)
	}
	x.Args = []string{"/bin/sh", "-c", d.script(x)}
	if d.one(8) {
		d.spoil(&x)
	}
	d.on(x, more...)
}

// mounts draws mounts, and gives the inputs of those that are trees.
func (d *drawer) mounts(x *graph.Exec) (more []int) {
	if d.one(4) {
		more = append(more, d.source(d.listing()))
		x.Mounts = append(x.Mounts, graph.Mount{Kind: graph.MountTree, Target: "/mnt-tree", Input: len(more)})
	}
	if d.one(6) {
		x.Mounts = append(x.Mounts, graph.Mount{Kind: graph.MountTemp, Target: "/w/mnt-temp"})
	}
	if !d.limits.NoCaches && d.one(6) {
		x.Mounts = append(x.Mounts, graph.Mount{Kind: graph.MountCache, Target: "/mnt-cache", Name: "laws"})
	}
	if !d.limits.NoSecrets && d.one(6) {
		x.Mounts = append(x.Mounts, graph.Mount{Kind: graph.MountSecret, Target: "/mnt-secret", Name: "env:LAW"})
	}
	return more
}

// spoil makes the process one that fails, or that ends with another code.
func (d *drawer) spoil(x *graph.Exec) {
	script := &x.Args[len(x.Args)-1]
	switch d.IntN(8) {
	case 0, 1:
		*script += "exit 7\n"
	case 2, 3:
		*script += "exit 3\n"
		x.Expect = []int{0, 3}
	case 4:
		*script += "sh -c 'kill -9 $$'; exit $?\n"
	case 5:
		x.Args = []string{pick(d, []string{"/no/such", "no-such", "/etc/passwd", "/w"}), "x"}
	case 6:
		user := "nobody-here"
		d.on(graph.Configure{User: &user})
	default:
		dir := pick(d, []string{"/etc/passwd", "/w/a/b", "/etc/passwd/x"}) // in the way, or made
		d.on(graph.Configure{Workdir: &dir})
	}
	d.failed = true // or so
}

// script draws what a shell does in /w. What fails is said, and passed by; nothing
// is read that would wait, or written that is a device.
func (d *drawer) script(x graph.Exec) string {
	b := strings.Builder{}
	b.WriteString("cd /w || cd /\nfile() { [ -f \"$1\" ]; }\nfree() { [ ! -e \"$1\" ] || file \"$1\"; }\nnone() { [ ! -e \"$1\" ] && [ ! -L \"$1\" ]; }\n")
	for _, m := range x.Mounts {
		switch m.Kind {
		case graph.MountTree:
			b.WriteString("find /mnt-tree 2>&1 | sort; echo lost > /mnt-tree/lost\n")
		case graph.MountTemp:
			b.WriteString("echo 1 > mnt-temp/f; cat mnt-temp/*\n")
		case graph.MountCache:
			b.WriteString("echo 1 >> /mnt-cache/f; cat /mnt-cache/f\n")
		case graph.MountSecret:
			b.WriteString("cat /mnt-secret; stat -c '%a %u:%g' /mnt-secret\n")
		}
	}
	if len(x.Stdin) > 0 {
		b.WriteString("cat\n")
	}
	if len(x.Env) > 0 || d.one(4) {
		b.WriteString("echo $A:$B:$HOME; pwd; id -u; id -g\n")
	}
	for range 1 + d.IntN(6) {
		b.WriteString(d.command() + "\n")
	}
	b.WriteString("true\n")
	return b.String()
}

// command draws a line of a script.
func (d *drawer) command() string {
	p, q := d.path(), d.path()
	safe := []string{ // they change no file that is there
		"rm -rf " + p + " 2>&1 | sort", // the order is the file system's
		"mkdir -p " + p,
		fmt.Sprintf("none %s && echo new > %s", p, p),
		fmt.Sprintf("none %s && mkfifo %s", p, p),
		fmt.Sprintf("none %s && ln -s %s %s", p, q, p),
		fmt.Sprintf("none new && echo 1 > new && ln new %s/new2", p),
		fmt.Sprintf("rm -rf %s 2>&1 | sort; mkdir %s; echo 1 > %s/n", p, p, p),
		fmt.Sprintf("file %s && cat %s", p, p),
		"find a b bin usr lib c d -xdev 2>&1 | sort", // not what an engine has to show
		fmt.Sprintf("stat -c '%%n %%a %%u:%%g %%F' %s", p),
		"echo out; echo err >&2",
		"seq 1 5000",
	}
	writes := []string{
		fmt.Sprintf("free %s && echo %s > %s", p, pick(d, names), p),
		fmt.Sprintf("free %s && echo more >> %s", p, p),
		fmt.Sprintf("free %s && file %s && cp %s %s", q, p, p, q),
		fmt.Sprintf("chmod %s %s", pick(d, []string{"4711", "600", "700", "2755", "1777"}), p),
		fmt.Sprintf("chown %s %s", pick(d, []string{"5:6", "8", "0:0"}), p),
		fmt.Sprintf("chown -h 5:6 %s", p),
		fmt.Sprintf("touch -h -d @%d %s", d.IntN(9), p),
		"touch " + p,
		fmt.Sprintf("[ -d %s ] || mv %s %s 2>&1 | sort", p, p, q),
		fmt.Sprintf("mkdir moved && echo 1 > moved/f && mv moved %s 2>&1 | sort", p),
	}
	if !d.limits.NoMoves {
		writes = append(writes, fmt.Sprintf("mv %s %s 2>&1 | sort", p, q))
	}
	if d.execs == 0 { // no process comes that would write to one of the names
		writes = append(writes, fmt.Sprintf("ln %s %s", p, q))
	}
	if d.links || d.one(2) {
		return pick(d, safe)
	}
	return pick(d, writes)
}
