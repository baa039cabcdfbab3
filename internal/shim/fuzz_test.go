//go:build linux

package shim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// memory is the files of a survey.
type memory map[string][]byte

func (m memory) ReadRange(_ context.Context, file string, offset, n int64) ([]byte, error) {
	b := m[file]
	if offset < 0 || n < 0 {
		return nil, errors.New("a negative range")
	}
	offset = min(offset, int64(len(b)))
	return b[offset:min(offset+n, int64(len(b)))], nil
}

// Whatever a daemon gives for a survey, reading it ends, without a panic, with the tree
// that the root names or an error.
func FuzzPack(f *testing.F) {
	t := tree.NewDraft(tree.Empty())
	t.MakeDir("d", tree.Attr{}).Put("f", tree.File{Size: 1, Content: digest.Of([]byte("x"))})
	made, err := t.Tree(context.Background())
	if err != nil {
		f.Fatal(err)
	}
	var nodes, index []byte
	var all []packed
	saved, err := tree.Save(context.Background(), made, nil, func(d digest.Digest, b []byte) error {
		all = append(all, packed{d, int64(len(nodes)), int64(len(b))})
		nodes = append(nodes, b...)
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	index = encodeIndex(all)
	f.Add([]byte(saved.Digest.String()), index, nodes)
	f.Add([]byte(saved.Digest.String()), index[:44], nodes)
	f.Add([]byte(saved.Digest.String()), append(bytes.Repeat([]byte{0xff}, 44), index...), nodes)
	f.Add([]byte("sha256:x"), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, root, index, nodes []byte) {
		p, err := OpenPack(t.Context(), memory{RootFile: root, IndexFile: index, NodesFile: nodes})
		if err != nil {
			return
		}
		got, err := p.Tree(t.Context())
		if err != nil {
			return
		}
		for _, err := range tree.Walk(t.Context(), got, tree.WalkOptions{}) {
			if err != nil {
				return
			}
		}
		if got.Digest() != p.Root() {
			t.Errorf("%s gave %s", p.Root(), got.Digest())
		}
	})
}

// A list that is read is one that can be written, in the same bytes.
func FuzzChanges(f *testing.F) {
	a := tree.Attr{Mode: 0o755, UID: 1, GID: 2, ModTime: tree.Time{Sec: -3, Nsec: 4}, Xattrs: tree.NewXattrs(map[string]string{"user.k": "v", "user.l": ""})}
	for _, c := range []Changes{
		nil,
		{Remove{"/a"}, MakeDir{"/a/b", a}, SetAttr{"/", a}, Link{"/a", "/b"}, Rename{"/x", "/y"}},
		{Put{"/f", tree.File{Size: 2, Content: digest.Of([]byte("xy")), Attributes: a}, Inline("xy")}, Put{"/g", tree.File{}, nil}},
		{Put{"/f", tree.File{Size: 2, Content: digest.Of([]byte("xy"))}, At{3, "/f/g"}}, Put{"/\xff", tree.Symlink{Target: "\xfe"}, nil}},
		{Put{"/d", tree.Device{Block: true, Major: 4000, Minor: 1 << 20}, nil}, Put{"/p", tree.Fifo{}, nil}, Put{"/s", tree.Socket{}, nil}},
	} {
		var b bytes.Buffer
		if err := c.Encode(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
		f.Add(b.Bytes()[:b.Len()-1])
		f.Add(append(b.Bytes(), 0))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readAll(b)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := got.Encode(&again); err != nil {
			t.Fatal(err)
		}
		same, err := readAll(again.Bytes())
		if err != nil || len(same) != len(got) || again.Len() > len(b) {
			t.Errorf("%d changes, then %d: %v", len(got), len(same), err)
		}
	})
}

func readAll(b []byte) (list Changes, err error) {
	for c, err := range ReadChanges(bytes.NewReader(b)) {
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// A list that was cut anywhere is none: what is missing may matter.
func TestACutListIsAnError(t *testing.T) {
	var whole bytes.Buffer
	list := Changes{Remove{"/a"}, Put{"/f", tree.File{Size: 2}, Inline("xy")}, SetAttr{"/", tree.Attr{}}}
	if err := list.Encode(&whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole.Len() {
		if got, err := readAll(whole.Bytes()[:n]); !errors.Is(err, ErrChanges) {
			t.Errorf("%d of %d bytes: %v, %v", n, whole.Len(), got, err)
		}
	}
	if got, err := readAll(whole.Bytes()); err != nil || len(got) != 3 {
		t.Errorf("whole: %v, %v", got, err)
	}
	if _, err := readAll(append(whole.Bytes(), 0)); !errors.Is(err, ErrChanges) {
		t.Errorf("more: %v", err)
	}
	for _, c := range []Change{nil, &Remove{"/a"}} {
		if err := (Changes{c}).Encode(io.Discard); err == nil {
			t.Errorf("%T was taken for a change", c)
		}
	}
}
