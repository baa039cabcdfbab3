package runs_test

import (
	"path"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/tree"
)

// files makes a tree of files: what each holds, by path, at most in one directory.
func files(t *testing.T, all map[string]string, links ...[]string) tree.Tree {
	t.Helper()
	d := tree.NewDraft(tree.Empty())
	for p, text := range all {
		f := tree.File{Attributes: tree.Attr{Mode: 0o644}, Size: int64(len(text)), Content: digest.Of([]byte(text))}
		dir, name := path.Split(p[1:])
		in := d
		if dir != "" {
			sub, ok, err := d.Dir(t.Context(), path.Clean(dir))
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				sub = d.MakeDir(path.Clean(dir), tree.Attr{Mode: 0o755})
			}
			in = sub
		}
		in.Put(name, f)
	}
	for _, l := range links {
		d.Link(l...)
	}
	out, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A file counts for the version since which it has been at its path with its
// content, however often it changed before; an inode counts once.
func TestSpaceIsOfTheStepThatBroughtIt(t *testing.T) {
	first := files(t, map[string]string{"/a/old": "12345", "/a/changed": "1", "/a/back": "123", "/gone": "1234567"})
	second := files(t, map[string]string{"/a/old": "12345", "/a/changed": "22", "/a/back": "", "/new": "4444"})
	third := files(t, map[string]string{"/a/old": "12345", "/a/changed": "22", "/a/back": "123", "/new": "4444", "/x/1": "666666", "/x/2": "666666"}, []string{"/x/1", "/x/2"})
	s, err := runs.Measure(t.Context(), []tree.Entry{third, second, first}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if s.Bytes != 5+2+3+4+6 || s.Entries != third.Count() {
		t.Errorf("%d bytes of %d entries", s.Bytes, s.Entries)
	}
	for i, want := range []int64{3 + 6, 2 + 4, 5} {
		if s.Steps[i].Bytes != want {
			t.Errorf("version %d brought %d bytes, want %d", i, s.Steps[i].Bytes, want)
		}
	}
	for _, p := range s.Paths {
		want := map[string]int64{"/": 20, "/a": 10, "/new": 4, "/x": 6}
		if n, ok := want[p.Path]; !ok || n != p.Bytes {
			t.Errorf("%s has %d bytes, want %d", p.Path, p.Bytes, n)
		}
	}
	if len(s.Paths) != 4 {
		t.Errorf("%d paths", len(s.Paths))
	}
}

func TestTheSpaceOfAFileIsItsSizeAndOfTheStepThatBroughtIt(t *testing.T) {
	versions := make([]tree.Entry, 3)
	for i, text := range []string{"12345", "12345", "1"} {
		var err error
		if versions[i], err = files(t, map[string]string{"/a/file": text}).Lookup(t.Context(), "/a/file"); err != nil {
			t.Fatal(err)
		}
	}
	s, err := runs.Measure(t.Context(), versions, 1)
	if err != nil {
		t.Fatal(err)
	}
	if s.Bytes != 5 || len(s.Paths) != 1 || s.Paths[0].Bytes != 5 || s.Steps[0].Entries != 0 || s.Steps[1] != (runs.VersionUse{Bytes: 5, Entries: 1}) {
		t.Errorf("%+v", s)
	}
}
