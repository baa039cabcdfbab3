package buildkit_test

import (
	"errors"
	"os"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/daemontest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// defaultACL is u::rwx,u:1:rwx,g::r-x,m::rwx,o::r-x as the kernel has it.
const defaultACL = "\x02\x00\x00\x00" +
	"\x01\x00\x07\x00\xff\xff\xff\xff" + "\x02\x00\x07\x00\x01\x00\x00\x00" + "\x04\x00\x05\x00\xff\xff\xff\xff" +
	"\x10\x00\x07\x00\xff\xff\xff\xff" + "\x20\x00\x05\x00\xff\xff\xff\xff"

// A directory with a default ACL gives rights to what is made in it. What an operation puts
// there at a daemon has its own alone.
func TestNothingIsGivenTheAccessRightsOfADirectoryThatItIsPutInto(t *testing.T) {
	daemontest.Skip(t)
	dir := t.TempDir()
	if err := errors.Join(os.MkdirAll(dir+"/s/a/b", 0o755), os.WriteFile(dir+"/s/f", []byte("f"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/s", "/s/a"} {
		if err := unix.Lsetxattr(dir+p, "system.posix_acl_default", []byte(defaultACL), 0); err != nil {
			t.Skip("needs a file system with access control lists: ", err)
		}
	}
	host := graph.New(graph.Host{Path: dir}, "host")
	base := graph.New(graph.Copy{To: "/", From: []string{"/"}}, "with-directory", enginetest.Busybox(t), host)
	made := script(base, "echo > /made")
	put := func(n *graph.Node, to, from string, of *graph.Node) *graph.Node {
		return graph.New(graph.Copy{To: to, From: []string{from}}, "copy", n, of)
	}
	const lookedInto = "a part of what a process left, of which the digest is known"
	for name, n := range map[string]*graph.Node{
		"in a tree of ours":                base,
		"a file, where a process has been": put(made, "/s/new", "/s/f", host),
		"a directory":                      put(made, "/s/new/", "/made", made),
		lookedInto:                         put(enginetest.Busybox(t), "/copied", "/s", made),
		"a new directory":                  graph.New(graph.NewDirectory{Path: "/s/new"}, "with-new-directory", made),
	} {
		t.Run(name, func(t *testing.T) {
			var lists []map[string]string
			for _, e := range []engine.Engine{openHere(t, embedded.Options{}), open(t, embedded.Options{}, buildkit.Options{})} {
				r, err := e.Resolve(t.Context(), n, nil)
				if err == nil && name == lookedInto { // a digest is held against the daemon's tree
					r, err = r.Known(t.Context())
				}
				if err == nil {
					r, err = e.Resolve(t.Context(), script(n, "true"), nil)
				}
				if err == nil {
					r, err = r.Known(t.Context())
				}
				if err != nil {
					t.Fatal(err)
				}
				lists = append(lists, accessRights(t, r.Tree))
			}
			for p, want := range lists[0] {
				if got := lists[1][p]; got != want {
					t.Errorf("%s has the rights %q, want %q", p, got, want)
				}
			}
		})
	}
}

// accessRights gives the access control lists of all that a tree has.
func accessRights(t *testing.T, in tree.Tree) map[string]string {
	t.Helper()
	out := map[string]string{}
	for it, err := range tree.Walk(t.Context(), in, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"system.posix_acl_access", "system.posix_acl_default"} {
			out[it.Path+" "+name], _ = it.Entry.Attr().Xattrs.Get(name)
		}
	}
	return out
}
