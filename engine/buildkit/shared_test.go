package buildkit_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/daemontest"
)

// uuid says something else each time that it runs.
const uuid = "cat /proc/sys/kernel/random/uuid"

// old gives a directory with an empty file and a symlink, which have a time with parts of a
// second.
func old(t *testing.T) *graph.Node {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/f", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("aaaa", dir+"/l"); err != nil {
		t.Fatal(err)
	}
	at := unix.Timespec{Sec: 7, Nsec: 5e8}
	for _, name := range []string{"f", "l"} {
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, dir+"/"+name, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			t.Fatal(err)
		}
	}
	return graph.New(graph.Host{Path: dir}, "host")
}

// with puts the file f of a directory somewhere.
func with(n *graph.Node, to string, dir *graph.Node) *graph.Node {
	return graph.New(graph.Copy{To: to, From: []string{"/f"}}, "with-file", n, dir)
}

// What a second stage takes of a first one is the same for a client that has the first
// one out of a cache.
func TestASharedCacheHasWhatFollowsFromSeveralStages(t *testing.T) {
	daemontest.Skip(t)
	base := enginetest.Busybox(t)
	tool := script(base, "mkdir -p /out/d; "+uuid+" > /out/tool; cp /out/tool /out/d/1; cp /out/tool /out/d/2")
	out := graph.New(graph.Sub{Path: "/out"}, "directory", tool)
	stages := map[string]*graph.Node{
		"a file":      script(graph.New(graph.Copy{To: "/bin/tool", From: []string{"/out/tool"}}, "with-file", base, tool), "cat /bin/tool; "+uuid),
		"a directory": script(graph.New(graph.Copy{To: "/usr/out", From: []string{"/"}}, "with-directory", base, out), "cat /usr/out/tool; "+uuid),
		"a mount": graph.New(graph.Exec{
			Args: []string{"/bin/sh", "-c", "cat /mnt/tool; " + uuid}, Network: graph.NetworkNone,
			Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/mnt", Input: 1}},
		}, "mounted", base, out),
		"a part that is mounted": graph.New(graph.Exec{
			Args: []string{"/bin/sh", "-c", "cat /mnt/tool; " + uuid}, Network: graph.NetworkNone,
			Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/mnt", Path: "/out", Input: 1}},
		}, "mounted", base, tool),
		"a link and an empty file": script(graph.New(graph.Copy{To: "/usr/bin", From: []string{"/"}}, "with-directory", base,
			graph.New(graph.Sub{Path: "/o"}, "directory", script(base, "mkdir /o; ln -s sh /o/l; : > /o/e; "+uuid+" > /o/u"))), "cat /bin/u; "+uuid),
		"a directory in the place of one that is there": script(graph.New(graph.Copy{To: "/", From: []string{"/"}}, "with-directory", base,
			graph.New(graph.Sub{Path: "/o"}, "directory", script(base, "mkdir -p /o/usr; "+uuid+" > /o/usr/u"))), "cat /usr/u; "+uuid),
		"all of a tree": script(graph.New(graph.Copy{To: "/m", From: []string{"/"}}, "with-directory", base, script(base, "mkdir /o; "+uuid+" > /u")), "cat /m/u; "+uuid),
		"a directory in which something is mounted for a process": script(script(base, uuid+" > /etc/x; rm /etc/group"), "cat /etc/x; "+uuid),
		"a directory in which something is mounted": graph.New(graph.Exec{
			Args: []string{"/bin/sh", "-c", "cat /src/x; " + uuid}, Network: graph.NetworkNone,
			Mounts: []graph.Mount{{Kind: graph.MountCache, Target: "/src/cache", Name: "c"}},
		}, "mounted", script(with(base, "/src/f", old(t)), uuid+" > /src/x")),
		"a change in a directory that a process has made":    script(with(script(base, "mkdir /app; "+uuid+" > /app/x"), "/app/f", old(t)), "cat /app/x; "+uuid),
		"a change in a directory that a process has written": script(with(script(with(base, "/app/g", old(t)), uuid+" > /app/x"), "/app/f", old(t)), "cat /app/x; "+uuid),
		"a change in a directory where a process removed":    script(with(script(with(with(base, "/app/g", old(t)), "/app/h", old(t)), uuid+" > /x; rm /app/h"), "/app/f", old(t)), "cat /x; "+uuid),
		"hardlinks that a process made":                      script(with(script(base, "echo n > /n; ln /n /n2; "+uuid+" > /x"), "/f", old(t)), "cat /x; "+uuid),
		"what a process has changed the mode of":             script(script(with(base, "/src/f", old(t)), uuid+" > /x; chmod 700 /src/f"), "cat /x; "+uuid),
		"what nobody has changed":                            script(with(script(with(base, "/src/f", old(t)), uuid+" > /x"), "/src/g", old(t)), "cat /x; stat -c %y /src/f /src/g; "+uuid),
		"a tree of which all is known":                       script(graph.New(graph.Hardlink{Path: "/bin/linked", Target: "/bin/sh"}, "with-hardlink", script(base, uuid+" > /made")), "cat /made; "+uuid),
	}
	dir := t.TempDir()
	said, left := map[string]string{}, map[string]digest.Digest{}
	for _, o := range []buildkit.Options{
		{CacheTo: []engine.Cache{{Type: "local", Attrs: map[string]string{"dest": dir}}}},
		{CacheFrom: []engine.Cache{{Type: "local", Attrs: map[string]string{"src": dir}}}},
	} {
		d := ownDaemon(t)
		o.Addresses = []daemon.Address{{URL: d.Address}}
		e := open(t, embedded.Options{}, o)
		for name, n := range stages {
			first, again := said[name], saidBy(t, e, n)
			if said[name] = again; first != "" && first != again {
				t.Errorf("%s: it ran again: it said %q, and then %q", name, first, again)
			}
			r, err := e.Resolve(t.Context(), n, nil)
			if err == nil {
				r, err = r.Known(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			was, is := left[name], r.Tree.Digest()
			if left[name] = is; !was.IsZero() && was != is {
				t.Errorf("%s: its tree is another one out of a cache", name)
			}
		}
		if len(o.CacheTo) > 0 {
			if told := toldBy(t, e); len(told) > 0 {
				t.Errorf("told is %q, and nothing is lost", told)
			}
		}
	}
}

// A file of this machine that is what a process left, too, goes to the daemon whether
// what the process left was read before or not.
func TestWhatGoesToADaemonIsTheSameWhateverWasReadBefore(t *testing.T) {
	daemontest.Skip(t)
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/f", []byte("hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	made := script(enginetest.Busybox(t), "echo hello > /h; mkdir /w; echo 1 > /w/a")
	local := graph.New(graph.Copy{To: "/local", From: []string{"/f"}}, "with-file", made, graph.New(graph.Host{Path: dir}, "host"))
	for name, last := range map[string]*graph.Node{
		"a file of this machine": script(local, uuid),
		"a new name":             script(graph.New(graph.Hardlink{Path: "/w/b", Target: "/w/a"}, "with-hardlink", made), uuid),
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			for _, read := range []string{"", "all", "a list"} {
				e := open(t, embedded.Options{}, buildkit.Options{Addresses: []daemon.Address{address(t)}})
				r, err := e.Resolve(t.Context(), made, nil)
				if err == nil && read == "all" {
					_, err = r.Known(t.Context())
				}
				if err == nil && read == "a list" {
					_, err = r.Tree.Lookup(t.Context(), "/w/a")
				}
				if err != nil {
					t.Fatal(err)
				}
				said = append(said, saidBy(t, e, last))
			}
			if said[0] != said[1] || said[0] != said[2] {
				t.Errorf("it ran again: it said %q", said)
			}
		})
	}
}
