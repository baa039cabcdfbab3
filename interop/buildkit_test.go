package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/tree"
)

// build builds a Dockerfile and gives the image, or the tree of it, as a file.
func (d *daemon) build(t *testing.T, context, dockerfile, output, name string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.Dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(d.Dir, name)
	c := exec.Command(filepath.Join(d.Bin, "buildctl"), "--addr", d.Address, "build", "--frontend", "dockerfile.v0",
		"--local", "context="+context, "--local", "dockerfile="+d.Dir, "--output", "type="+output+",dest="+out)
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("buildctl: %v\n%s", err, said)
	}
	return out
}

// listing is what BuildKit carries of a tree: times in whole seconds, and none
// of directories, which it touches when it copies into them.
func listing(t *testing.T, tr tree.Tree) map[string]string {
	t.Helper()
	out := map[string]string{}
	for it, err := range tree.Walk(t.Context(), tr, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if it.Path == "/" {
			continue
		}
		a := it.Entry.Attr()
		s := fmt.Sprintf("%s %o %d:%d", it.Entry.Kind(), a.Mode, a.UID, a.GID)
		if it.Entry.Kind() != tree.KindDirectory {
			s += fmt.Sprintf(" at %d", a.ModTime.Sec)
		}
		switch e := it.Entry.(type) {
		case tree.File:
			s += fmt.Sprintf(" %d %s", e.Size, e.Content)
		case tree.Symlink:
			s += " -> " + e.Target
		}
		if it.Link != nil {
			s += " = " + it.Link.First
		}
		out[it.Path] = s
	}
	return out
}

func TestLayersOfBuildKitReadAsTheTreeThatItExports(t *testing.T) {
	d := sharedDaemon(t)
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip("no /bin/busybox: apt-get install busybox-static")
	}
	src := t.TempDir()
	for name, body := range map[string]string{"busybox": string(busybox), "d/a": "a", "d/sub/b": "b", "d/sub/c": "c", "e/f": "f"} {
		p := filepath.Join(src, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(body), 0o755); err != nil {
			t.Fatal(err)
		}
		// Whole seconds: the tar that BuildKit exports rounds, its layers cut.
		if err := os.Chtimes(p, time.Unix(1_000_000_000, 0), time.Unix(1_000_000_000, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("d/sub", filepath.Join(src, "link")); err != nil {
		t.Fatal(err)
	}
	const run = `RUN ["/bin/busybox", "sh", "-c", "`
	for name, steps := range map[string]string{
		"copies":     "COPY d /x/\nCOPY e /x/sub/\nCOPY link /y/\n",
		"linked":     "COPY d /x/\nCOPY --link e /x/sub/\nCOPY --link --chown=7:8 --chmod=700 d/a /z/\n",
		"whiteouts":  "COPY d /x/\n" + run + `rm -r /x/sub; rm /x/a; ln -s x /w; touch -h -d @5 /w"]` + "\n",
		"opaque":     "COPY d /x/\n" + run + `rm -r /x/sub; mkdir /x/sub; echo n > /x/sub/n; touch -d @5 /x/sub/n"]` + "\n",
		"hardlinks":  "COPY d /x/\n" + run + `ln /x/a /x/a2; ln /x/sub/b /b3; rm /x/sub/b"]` + "\n" + run + `rm /x/a"]` + "\n",
		"metadata":   "COPY d /x/\n" + run + `chmod 4711 /x/a; chown 5:6 /x/sub; mkfifo /x/p; touch -d @5 /x/p"]` + "\n",
		"file, dir":  "COPY d /x/\n" + run + `rm -r /x/sub; echo f > /x/sub; touch -d @5 /x/sub"]` + "\n" + run + `rm /x/sub; mkdir /x/sub"]` + "\n",
		"renamed":    "COPY d /x/\n" + run + `mv /x/sub /x/sub2; mv /x/a /q"]` + "\n",
		"over links": "COPY d /x/\n" + run + `ln -s x /l; touch -h -d @5 /l"]` + "\nCOPY --link e /l/\n",
	} {
		t.Run(name, func(t *testing.T) {
			dockerfile := "FROM scratch\nCOPY busybox /bin/\n" + steps
			e, err := embedded.Open(t.Context(), embedded.Options{Store: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close(t.Context())
			read := func(place string) map[string]string {
				from, err := engine.ParsePlace(place)
				if err != nil {
					t.Fatal(err)
				}
				i, err := e.Import(t.Context(), from, "it", embedded.ImportOptions{})
				if err != nil {
					t.Fatal(err)
				}
				tr, err := tree.Load(t.Context(), source{e}, i.Tree)
				if err != nil {
					t.Fatal(err)
				}
				return listing(t, tr)
			}
			want := read("tar:" + d.build(t, src, dockerfile, "tar", "out.tar"))
			got := read("oci-archive:" + d.build(t, src, dockerfile, "oci", "out.oci.tar"))
			for p := range want {
				if got[p] != want[p] {
					t.Errorf("%s is %q, BuildKit says %q", p, got[p], want[p])
				}
			}
			for p := range got {
				if want[p] == "" {
					t.Errorf("%s is %q, BuildKit has none", p, got[p])
				}
			}
		})
	}
}

// source is an engine's store as a source of nodes.
type source struct{ *embedded.Engine }

// Node gives a node.
func (s source) Node(ctx context.Context, d digest.Digest) ([]byte, error) {
	return s.Store().Node(ctx, d)
}
