package treetest

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// Item is one entry of a [Listing].
type Item struct {
	Path    string // rooted and clean; "/" is the root
	Kind    tree.Kind
	Attr    tree.Attr
	Size    int64
	Content digest.Digest // of a file; zero when Size is 0
	Target  string        // of a symlink
	Major   uint32        // of a device
	Minor   uint32
	// Same is the first path of the hardlink group that the path is in; "" for
	// that path itself, and for an entry with one name.
	Same string

	// Text is what a file holds, if it is known. It is not compared.
	Text string
}

// Listing is a tree as plain data: all its entries, the root first, in the order
// of [tree.ComparePaths].
type Listing []Item

// List gives the listing of a tree. It reads all of it.
func List(t tree.Tree) Listing {
	var l Listing
	for it, err := range tree.Walk(context.Background(), t, tree.WalkOptions{}) {
		if err != nil {
			panic(err)
		}
		i := ItemOf(it.Path, it.Entry)
		if it.Link != nil && it.Link.First != it.Path {
			i.Same = it.Link.First
		}
		l = append(l, i)
	}
	return l
}

// ItemOf gives the item of an entry with one name.
func ItemOf(p string, e tree.Entry) Item {
	i := Item{Path: p, Kind: e.Kind(), Attr: e.Attr()}
	switch e := e.(type) {
	case tree.File:
		i.Size, i.Content = e.Size, e.Content
	case tree.Symlink:
		i.Target = e.Target
	case tree.Device:
		i.Major, i.Minor = e.Major, e.Minor
	}
	return i
}

// Tree makes a tree of the listing, entry by entry. It fails for a listing that
// is none: parents missing, names twice, hardlinks between different entries.
func (l Listing) Tree() (tree.Tree, error) {
	if len(l) == 0 {
		return tree.Empty(), nil
	}
	d := tree.NewDraft(tree.Empty().With(l[0].Attr))
	dirs := map[string]*tree.Draft{"/": d}
	groups := map[string][]string{}
	for _, i := range l[1:] {
		at, name := dirs[path.Dir(i.Path)], path.Base(i.Path)
		if at == nil {
			return tree.Tree{}, &ListingError{i.Path, "its parent is no directory"}
		}
		if _, twice, _ := at.Get(context.Background(), name); twice {
			return tree.Tree{}, &ListingError{i.Path, "it is listed twice"}
		}
		if i.Kind == tree.KindDirectory {
			dirs[i.Path] = at.MakeDir(name, i.Attr)
			continue
		}
		at.Put(name, i.Entry())
		if i.Same != "" {
			groups[i.Same] = append(groups[i.Same], i.Path)
		}
	}
	for first, others := range groups {
		d.Link(append(others, first)...)
	}
	return d.Tree(context.Background())
}

// MustTree is [Listing.Tree] of a listing that is known to be one.
func (l Listing) MustTree() tree.Tree {
	t, err := l.Tree()
	if err != nil {
		panic(err)
	}
	return t
}

// ListingError is the error of a listing that no tree has.
type ListingError struct {
	Path string
	Why  string
}

// Error names the path.
func (e *ListingError) Error() string { return e.Path + ": " + e.Why }

// Entry gives the item as an entry of a tree; an empty directory for a
// directory.
func (i Item) Entry() tree.Entry {
	switch i.Kind {
	case tree.KindDirectory:
		return tree.Empty().With(i.Attr)
	case tree.KindSymlink:
		return tree.Symlink{Attributes: i.Attr, Target: i.Target}
	case tree.KindCharDevice, tree.KindBlockDevice:
		return tree.Device{Attributes: i.Attr, Block: i.Kind == tree.KindBlockDevice, Major: i.Major, Minor: i.Minor}
	case tree.KindFifo:
		return tree.Fifo{Attributes: i.Attr}
	case tree.KindSocket:
		return tree.Socket{Attributes: i.Attr}
	}
	return tree.File{Attributes: i.Attr, Size: i.Size, Content: i.Content}
}

// Texts gives what files hold, by their digests, as far as the listing knows.
func (l Listing) Texts() map[digest.Digest]string {
	m := map[digest.Digest]string{}
	for _, i := range l {
		if i.Text != "" {
			m[i.Content] = i.Text
		}
	}
	return m
}

// WithTexts gives the listing with what files hold, as far as one of the others
// knows it.
func (l Listing) WithTexts(others ...Listing) Listing {
	l = slices.Clone(l)
	for _, o := range others {
		texts := o.Texts()
		for n, i := range l {
			if text, ok := texts[i.Content]; ok && i.Kind == tree.KindFile {
				l[n].Text = text
			}
		}
	}
	return l
}

// Find gives the item of a path; nil if there is none.
func (l Listing) Find(p string) *Item {
	n, ok := slices.BinarySearchFunc(l, p, func(i Item, p string) int { return tree.ComparePaths(i.Path, p) })
	if !ok {
		return nil
	}
	return &l[n]
}

// same tells whether two items say the same of a tree.
func (i Item) same(o Item) bool {
	i.Text, o.Text = "", ""
	return i == o
}

// Equal tells whether two listings are of the same tree.
func (l Listing) Equal(o Listing) bool { return slices.EqualFunc(l, o, Item.same) }

// Differences gives the lines that only one of two listings has, "-" for those
// of want, "+" for those of got; "" if they are equal.
func Differences(got, want Listing) string {
	var b strings.Builder
	say := func(sign string, i Item) { b.WriteString(sign + i.String() + "\n") }
	for len(got) > 0 || len(want) > 0 {
		switch {
		case len(got) > 0 && len(want) > 0 && got[0].Path == want[0].Path:
			if !got[0].same(want[0]) {
				say("- ", want[0])
				say("+ ", got[0])
			}
			got, want = got[1:], want[1:]
		case len(want) == 0 || len(got) > 0 && tree.ComparePaths(got[0].Path, want[0].Path) < 0:
			say("+ ", got[0])
			got = got[1:]
		default:
			say("- ", want[0])
			want = want[1:]
		}
	}
	return b.String()
}

// Sort puts the items into the order of a listing, and makes the first path of
// each hardlink group the one that the others name.
func (l Listing) Sort() {
	slices.SortFunc(l, func(a, b Item) int { return tree.ComparePaths(a.Path, b.Path) })
	first := map[string]string{} // by the path that names the group now
	for n := range l {
		group := l[n].Same
		if group == "" {
			group = l[n].Path
		}
		if first[group] == "" {
			first[group] = l[n].Path
		}
		if l[n].Same = first[group]; l[n].Same == l[n].Path {
			l[n].Same = ""
		}
	}
}

// Filter gives the items that a function keeps, without those of directories
// that it does not keep. A hardlink group stays one.
func (l Listing) Filter(keep func(Item) bool) Listing {
	gone := map[string]bool{}
	var out Listing
	for _, i := range l {
		if i.Path != "/" && (gone[path.Dir(i.Path)] || !keep(i)) {
			gone[i.Path] = true
			continue
		}
		out = append(out, i)
	}
	out.Sort()
	return out
}
