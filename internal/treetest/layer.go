package treetest

import (
	"fmt"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/tools/txtar"
)

// Layer is a layer as plain data: the entries of its tar in their order. An
// item that is named for a whiteout or an opaque marker is one; an item with
// Same is a hardlink to that path, of this layer or of those below.
//
// Its text form is that of a [Listing], but for three things: lines are in the
// order of the tar, a directory without a line is only implied, and a marker is
// its name alone. A hardlink's line says nothing of its attributes, which are
// those of its target.
//
//	usr/bin/ {0700}
//	usr/lib/.wh.a          removes usr/lib/a
//	etc/.wh..wh..opq       hides what etc held
//	sh == usr/bin/sh
type Layer []Item

// Stack is layers that lie over one another, the lowest first. Its text form is
// a txtar archive with a file called layer for each.
type Stack []Layer

// The names of markers.
const (
	whiteoutPrefix = ".wh."
	metaPrefix     = ".wh..wh."
	opaqueMarker   = ".wh..wh..opq"
)

// Whiteout tells whether the item removes a path of the layers below, and which.
func (i Item) Whiteout() (removed string, ok bool) {
	dir, name := path.Split(i.Path)
	if !strings.HasPrefix(name, whiteoutPrefix) || i.Leftover() || name == opaqueMarker {
		return "", false
	}
	return path.Join(dir, name[len(whiteoutPrefix):]), true
}

// Opaque tells whether the item hides what a directory held, and which.
func (i Item) Opaque() (dir string, ok bool) {
	return path.Dir(i.Path), path.Base(i.Path) == opaqueMarker
}

// Leftover tells whether the item is one of AUFS's own, which means nothing.
func (i Item) Leftover() bool {
	name := path.Base(i.Path)
	return strings.HasPrefix(name, metaPrefix) && name != opaqueMarker
}

// Marker tells whether the item is a whiteout, an opaque marker, or a leftover.
func (i Item) Marker() bool { return strings.HasPrefix(path.Base(i.Path), whiteoutPrefix) }

func marker(p string) Item { return Item{Path: p, Kind: tree.KindFile, Attr: defaults(tree.KindFile)} }

// String gives the text form.
func (l Layer) String() string {
	var b strings.Builder
	for _, i := range l {
		if i.Marker() {
			b.WriteString(word(strings.TrimPrefix(i.Path, "/")) + "\n")
		} else {
			b.WriteString(i.String() + "\n")
		}
	}
	return b.String()
}

// ParseLayer reads the text form. What a hardlink to a layer below is, the text
// does not tell: it gets the attributes of a plain file.
func ParseLayer(text string) (Layer, error) {
	var l Layer
	known := map[string]Item{}
	for line := range strings.Lines(text) {
		w, err := words(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		var i Item
		switch {
		case len(w) == 0:
			continue
		case len(w) == 1 && marker(w[0]).Marker():
			i = marker(path.Join("/", w[0]))
		case len(w) == 3 && w[1] == "==":
			target := path.Join("/", w[2])
			i = marker("")
			if k, ok := known[target]; ok {
				i = k
			}
			i.Path, i.Same = path.Join("/", w[0]), target
		default:
			if i, err = parseItem(w); err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
		}
		known[i.Path] = i
		l = append(l, i)
	}
	return l, nil
}

// String gives the text form, which [ParseStack] reads.
func (s Stack) String() string {
	var a txtar.Archive
	for _, l := range s {
		a.Files = append(a.Files, txtar.File{Name: "layer", Data: []byte(l.String())})
	}
	return string(txtar.Format(&a))
}

// ParseStack reads the text form. Hardlinks to layers below get the attributes
// that their target has there.
func ParseStack(text string) (Stack, error) {
	var s Stack
	for _, f := range txtar.Parse([]byte(text)).Files {
		l, err := ParseLayer(string(f.Data))
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", len(s)+1, err)
		}
		s = append(s, l)
	}
	return s.linked(), nil
}

// linked gives the stack with the attributes of what they lead to on hardlinks.
func (s Stack) linked() Stack {
	var lower Listing
	for n := range s {
		for k, i := range s[n] {
			if i.Same == "" {
				continue
			}
			to := lower.Find(i.Same)
			for m := range s[n][:k] {
				if s[n][m].Path == i.Same {
					to = &s[n][m]
				}
			}
			if to != nil && to.Kind != tree.KindDirectory {
				p, same := i.Path, i.Same
				i = *to
				i.Path, i.Same = p, same
				s[n][k] = i
			}
		}
		next, err := s[n].On(lower)
		if err != nil {
			break // who uses it will be told
		}
		lower = next
	}
	return s
}

// MustParseStack is [ParseStack] of text that is known to be a stack.
func MustParseStack(text string) Stack {
	s, err := ParseStack(text)
	if err != nil {
		panic(err)
	}
	return s
}

// Test gives the stack as a test of internal/layer that calls a function with t,
// the words, and the stack.
func (s Stack) Test(function string, w ...string) string {
	text := "`" + s.String() + "`"
	if strings.Contains(s.String(), "`") {
		text = fmt.Sprintf("%q", s.String())
	}
	arguments := "t"
	for _, w := range w {
		arguments += fmt.Sprintf(", %q", w)
	}
	return "func TestFound(t *testing.T) {\n\t" + function + "(" + arguments + ", treetest.MustParseStack(" + text + "))\n}\n"
}
