package tree

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
)

var update = flag.Bool("update", false, "write the golden vectors anew")

// vectors is trees whose encoded nodes are in testdata/nodes.golden.
func vectors(t testing.TB) map[string]Tree {
	ctx := context.Background()
	done := func(d *Draft) Tree {
		tr, err := d.Tree(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	attr := Attr{Mode: 0o4755, UID: 1000, GID: 1<<32 - 2, ModTime: Time{Sec: -1, Nsec: 999_999_999},
		Xattrs: NewXattrs(map[string]string{"security.capability": "\x01\x00", "user.empty": ""})}
	file := File{Attributes: attr, Size: 5, Content: digest.Of([]byte("hello"))}
	kinds := NewDraft(Empty())
	kinds.Put("file", file)
	kinds.Put("empty", File{Attributes: Attr{Mode: 0o644}})
	kinds.Put("link", Symlink{Target: "../file"})
	kinds.Put("char", Device{Attributes: attr, Major: 1, Minor: 3})
	kinds.Put("block", Device{Attributes: attr, Block: true, Major: 8, Minor: 1 << 20})
	kinds.Put("fifo", Fifo{attr})
	kinds.Put("socket", Socket{attr})
	kinds.Put("\xff\n", file)
	kinds.MakeDir("dir", attr)
	links := NewDraft(Empty().With(attr))
	links.MakeDir("a", attr).Put("x", file)
	links.MakeDir("b", attr).Put("y", file)
	links.Put("z", file)
	links.Link("/a/x", "/b/y", "/z")
	wide := NewDraft(Empty())
	for _, ns := range levelled(t) {
		for _, n := range ns {
			wide.Put(n, File{Attributes: Attr{Mode: 0o600}})
		}
	}
	return map[string]Tree{"empty": Empty(), "kinds": done(kinds), "links": done(links), "chunks": done(wide)}
}

// golden gives the encoded nodes of a tree, in the order in which they are saved.
func golden(t testing.TB, tr Tree) (nodes [][]byte) {
	_, err := Save(context.Background(), tr, NewMemory(), func(d digest.Digest, b []byte) error {
		if d != digest.Of(b) {
			t.Fatal("the digest is not that of the node")
		}
		nodes = append(nodes, b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return nodes
}

func TestTheEncodedFormDoesNotChange(t *testing.T) {
	const name = "testdata/nodes.golden"
	var b strings.Builder
	vs := vectors(t)
	for _, n := range []string{"empty", "kinds", "links", "chunks"} {
		fmt.Fprintf(&b, "%s %s\n", n, vs[n].Digest())
		nodes := golden(t, vs[n])
		if n == "chunks" {
			nodes = nodes[len(nodes)-2:]
		}
		for _, node := range nodes {
			fmt.Fprintf(&b, "\t%s\n", hex.EncodeToString(node))
		}
	}
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Fatalf("the form of nodes is another one: stores could not be read any more\ngot:\n%s\nwant:\n%s", b.String(), want)
	}
}

// encodeAgain decodes a node of any kind and encodes what it gave.
func encodeAgain(node []byte) ([]byte, error) {
	if len(node) == 0 {
		_, err := decodeRoot(node, nil)
		return nil, err
	}
	switch node[0] {
	case tagRoot:
		t, err := decodeRoot(node, nil)
		if err != nil {
			return nil, err
		}
		return t.encode(), nil
	case tagLinks:
		g, err := decodeLinks(node)
		if err != nil {
			return nil, err
		}
		return encodeLinks(g), nil
	}
	b, err := decodeBody(node, nil)
	if err != nil {
		return nil, err
	}
	newList(b) // sums up without overflow
	return b.encode(), nil
}

func FuzzDecode(f *testing.F) {
	for _, tr := range vectors(f) {
		for _, n := range golden(f, tr) {
			f.Add(n)
		}
	}
	f.Fuzz(func(t *testing.T, node []byte) {
		again, err := encodeAgain(node)
		_, _, refErr := References(node)
		if (err == nil) != (refErr == nil) {
			t.Fatalf("decoded: %v, its references: %v", err, refErr)
		}
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v is not ErrMalformed", err)
			}
			return
		}
		if !bytes.Equal(again, node) {
			t.Fatalf("%x was decoded, and encodes as %x", node, again)
		}
	})
}

func TestCutAndPaddedNodesAreRefused(t *testing.T) {
	for name, tr := range vectors(t) {
		for _, n := range golden(t, tr) {
			for i := range min(len(n), 4000) {
				if _, err := encodeAgain(n[:i]); !errors.Is(err, ErrMalformed) {
					t.Fatalf("%s: %d of %d bytes: %v", name, i, len(n), err)
				}
			}
			if _, err := encodeAgain(append(slices.Clone(n), 0)); !errors.Is(err, ErrMalformed) {
				t.Fatalf("%s: with a byte more: %v", name, err)
			}
		}
	}
}

// liar gives other nodes than were asked for.
type liar struct{ answer func(d digest.Digest) []byte }

func (l *liar) Node(_ context.Context, d digest.Digest) ([]byte, error) { return l.answer(d), nil }

func TestASourceThatLiesIsFoundOut(t *testing.T) {
	ctx := t.Context()
	mem := NewMemory()
	d, err := mem.Save(ctx, vectors(t)["kinds"])
	if err != nil {
		t.Fatal(err)
	}
	var other []byte
	for _, n := range mem.nodes {
		if n[0] == tagNames {
			other = n
		}
	}
	if _, err := Load(ctx, &liar{func(digest.Digest) []byte { return other }}, d); !errors.Is(err, ErrMalformed) {
		t.Fatal("a root:", err)
	}
	// A directory that holds itself, in sums that have no end.
	self := &liar{}
	root := Tree{list: &list{names: 1, count: 1<<63 - 1, source: self}}
	root.list.dig.Store(&d)
	loop := (&body{children: []Child{{"x", root}}}).encode()
	self.answer = func(digest.Digest) []byte { return loop }
	for _, err := range Walk(ctx, root, WalkOptions{}) {
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("the walk ended without an error")
}

// A node may be what its digest says and still not be what its parent says.
func TestANodeThatIsNotWhatItsParentSaysIsRefused(t *testing.T) {
	ctx := t.Context()
	child := &body{children: []Child{{"x", File{Size: 3, Content: digest.Of([]byte("abc"))}}}}
	enc := child.encode()
	for name, wrong := range map[string]func(*list){
		"names": func(l *list) { l.names++ },
		"count": func(l *list) { l.count = 7 },
		"bytes": func(l *list) { l.bytes = 4 },
		"level": func(l *list) { l.level = 1 },
		"first": func(l *list) { l.first = "a" },
	} {
		l := newList(child)
		wrong(l)
		l.body.Store(nil)
		dig := digest.Of(enc)
		l.dig.Store(&dig)
		l.source = &liar{func(digest.Digest) []byte { return enc }}
		if _, _, err := l.get(ctx, "x"); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// There is one way to cut a directory, and no other is read.
func TestChunksThatAreCutElsewhereAreRefused(t *testing.T) {
	names := levelled(t)
	all := slices.Sorted(slices.Values(slices.Concat(names[0], names[1])))
	b := &body{}
	for _, n := range all {
		b.children = append(b.children, Child{n, File{}})
	}
	if _, err := decodeBody(b.encode(), nil); !errors.Is(err, ErrMalformed) {
		t.Fatalf("names of high level inside a chunk: %v", err)
	}
	low := slices.Sorted(slices.Values(names[0]))
	split := &body{level: 1}
	for _, n := range low[:2] {
		split.kids = append(split.kids, newList(&body{children: []Child{{n, File{}}}}))
	}
	if _, err := decodeBody(split.encode(), nil); !errors.Is(err, ErrMalformed) {
		t.Fatalf("a cut at a name of level 0: %v", err)
	}
}

func TestValuesThatNoFileSystemHasAreRefused(t *testing.T) {
	for _, e := range []Entry{
		File{Attributes: Attr{Mode: 0o10000}},
		File{Attributes: Attr{ModTime: Time{Nsec: 1e9}}},
		File{Size: -1},
		Empty().With(Attr{Mode: 0o70000}),
	} {
		d := NewDraft(Empty())
		d.Put("x", e)
		if _, err := d.Tree(t.Context()); err == nil {
			t.Errorf("%+v was put", e)
		}
	}
	d := NewDraft(Empty())
	d.Put("link", Symlink{Attributes: Attr{Mode: 0o644}, Target: "x"})
	d.Put("empty", File{Content: digest.Of(nil)})
	tr, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e, _, _ := tr.Get(t.Context(), "link"); e.Attr().Mode != 0o777 {
		t.Errorf("the link's mode is %o", e.Attr().Mode)
	}
	if e, _, _ := tr.Get(t.Context(), "empty"); e.(File).Content != (digest.Digest{}) {
		t.Error("an empty file has two forms")
	}
	mem := NewMemory()
	if _, err := mem.Save(t.Context(), Empty().With(Attr{Mode: 0o10000})); err == nil {
		t.Error("a root of an impossible mode was saved")
	}
}
