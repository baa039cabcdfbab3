package tree_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// contents is what files hold.
type contents map[digest.Digest]string

func (c contents) OpenContent(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	s, ok := c[d]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(strings.NewReader(s)), nil
}

func (c contents) file(s string) tree.File {
	f := tree.File{Attributes: tree.Attr{Mode: 0o644}, Size: int64(len(s))}
	if s != "" {
		f.Content = digest.Of([]byte(s))
		c[f.Content] = s
	}
	return f
}

func TestTheViewKeepsTheLawsOfTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := contents{}
		var paths []string
		var fill func(d *tree.Draft, at string, depth int)
		fill = func(d *tree.Draft, at string, depth int) {
			d.Put("target", c.file("of links"))
			for _, n := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b.txt", "ü", "d", ".x", "[y"}), 0, 5, rapid.ID).Draw(rt, "names") {
				paths = append(paths, at+n)
				switch rapid.IntRange(0, 3).Draw(rt, "kind") {
				case 0:
					d.Put(n, c.file(rapid.SampledFrom([]string{"", "x", "some text"}).Draw(rt, "text")))
				case 1:
					d.Put(n, tree.Symlink{Target: "target"})
				default:
					if depth > 0 {
						fill(d.MakeDir(n, tree.Attr{Mode: 0o1755}), at+n+"/", depth-1)
					} else {
						d.Put(n, c.file("leaf"))
					}
				}
			}
		}
		d := tree.NewDraft(tree.Empty())
		fill(d, "", 3)
		tr := finish(rt, d)
		plain := []string{"target"}
		for _, p := range paths {
			if r, err := tree.Resolve(t.Context(), tr, p, tree.FollowNone); err == nil && r.Entry != nil && r.Entry.Kind() != tree.KindSymlink {
				plain = append(plain, p)
			}
		}
		if err := fstest.TestFS(tree.FS(t.Context(), tr, c), plain...); err != nil {
			rt.Fatal(err)
		}
	})
}

func sample(t *testing.T) (fs.FS, contents) {
	t.Helper()
	c := contents{}
	d := tree.NewDraft(tree.Empty())
	usr := d.MakeDir("usr", tree.Attr{Mode: 0o755})
	bin := usr.MakeDir("bin", tree.Attr{Mode: 0o755})
	bin.Put("sh", tree.Symlink{Target: "dash"})
	bin.Put("dash", c.file("#!"))
	bin.Put("out", tree.Symlink{Target: "../../etc/passwd"})
	d.Put("bin", tree.Symlink{Target: "usr/bin"})
	d.MakeDir("etc", tree.Attr{Mode: 0o755}).Put("passwd", c.file("root:x:0:0\n"))
	d.Put("loop", tree.Symlink{Target: "/loop"})
	d.Put("null", tree.Device{Major: 1, Minor: 3})
	tr, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tree.FS(t.Context(), tr, c), c
}

func TestTheViewFollowsLinksInsideTheTree(t *testing.T) {
	f, _ := sample(t)
	for name, want := range map[string]string{"bin/sh": "#!", "usr/bin/out": "root:x:0:0\n", "etc/passwd": "root:x:0:0\n"} {
		if b, err := fs.ReadFile(f, name); err != nil || string(b) != want {
			t.Errorf("%s: %q %v", name, b, err)
		}
	}
	if to, err := fs.ReadLink(f, "bin"); err != nil || to != "usr/bin" {
		t.Errorf("bin leads to %q: %v", to, err)
	}
	if i, err := fs.Lstat(f, "bin"); err != nil || i.Mode().Type() != fs.ModeSymlink {
		t.Errorf("bin: %v %v", i, err)
	}
	got, err := fs.Glob(f, "bin/*sh")
	if err != nil || !slices.Equal(got, []string{"bin/dash", "bin/sh"}) {
		t.Errorf("glob: %q %v", got, err)
	}
	for name, want := range map[string]error{"loop": tree.ErrLoop, "none": fs.ErrNotExist, "etc/passwd/x": tree.ErrNotDirectory, "../x": fs.ErrInvalid, "/etc": fs.ErrInvalid} {
		var pe *fs.PathError
		if _, err := f.Open(name); !errors.Is(err, want) || !errors.As(err, &pe) || pe.Path != name {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if _, err := f.Open("null"); err == nil {
		t.Error("a device was opened")
	}
}

func TestASubdirectoryIsSealed(t *testing.T) {
	f, _ := sample(t)
	sub, err := fs.Sub(f, "bin")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := fs.ReadFile(sub, "sh"); err != nil || string(b) != "#!" {
		t.Errorf("%q %v", b, err)
	}
	if _, err := fs.ReadFile(sub, "out"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link led out of the subdirectory: %v", err)
	}
}

func TestAViewEndsWithItsContext(t *testing.T) {
	f, c := sample(t)
	_ = f
	ctx, cancel := context.WithCancel(t.Context())
	v := tree.FS(ctx, tree.Empty(), c)
	cancel()
	if _, err := v.Open("."); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
