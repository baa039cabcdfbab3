// Package enginetest has the laws that every engine keeps, as tests of any of
// them: the same graph has the same result everywhere.
//
//   - [Run], [RunExec] and [RunRecords] say of graphs what an engine makes of them,
//     of processes, and what it remembers of runs that succeed and that fail.
//   - [Equal] draws graphs, and two engines must make the same of each: of trees,
//     configurations, processes, errors, of what is told meanwhile and remembered.
//     [Compare] does so for one graph.
//
// Trees are written down as listings, one line an entry, which say only what is
// not as expected of a new one:
//
//	usr/                 a directory of mode 0755 that root owns, with time zero
//	usr/tool=text 4755   a file of this content and mode
//	bin -> usr/bin       a symlink
//	a=x 1:2 @7           owner and group, time of modification in seconds
//	b=x ~a               a name of the file a
package enginetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

// Open opens an engine for one test, with nothing in its store. It closes it
// when the test ends, or skips the test.
type Open func(t testing.TB) engine.Engine

// Run tests what an engine makes of trees and configurations.
func Run(t *testing.T, open Open) {
	for _, group := range []struct {
		name string
		laws func() []law
	}{
		{"entry", entryLaws}, {"copy", copyLaws}, {"into", intoLaws}, {"options", optionLaws}, {"merge", mergeLaws}, {"sub", subLaws},
		{"rename", renameLaws}, {"hardlink", hardlinkLaws}, {"setattr", setAttrLaws},
	} {
		t.Run(group.name, func(t *testing.T) {
			e := open(t)
			for _, l := range group.laws() {
				t.Run(l.name, func(t *testing.T) { l.hold(t, e) })
			}
		})
	}
	t.Run("hardlinks", func(t *testing.T) { hardlinks(t, open(t)) })
	t.Run("configuration", func(t *testing.T) { configuration(t, open(t)) })
	t.Run("digests", func(t *testing.T) { digests(t, open(t)) })
	t.Run("errors", func(t *testing.T) { callErrors(t, open(t)) })
}

// law is a graph, and the listing of the tree that it makes or a part of the
// error.
type law struct {
	name string
	node *graph.Node
	want []string
	err  string
}

func (l law) hold(t *testing.T, e engine.Engine) {
	t.Helper()
	r, err := e.Resolve(t.Context(), l.node, nil)
	if l.err != "" {
		if err == nil {
			t.Fatalf("no error, want one with %q; the tree is\n%s", l.err, strings.Join(listing(t, e, r.Tree), "\n"))
		}
		if !strings.Contains(err.Error(), l.err) {
			t.Fatalf("error %q, want one with %q", err, l.err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := listing(t, e, r.Tree); !slices.Equal(got, l.want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(l.want, "\n\t"))
	}
}

// listing gives a tree as lines. The root has one only when it is not as a new
// directory is.
func listing(t testing.TB, e engine.Engine, of tree.Tree) []string {
	t.Helper()
	var out []string
	for item, err := range tree.Walk(t.Context(), of, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		usual := tree.Mode(0o644)
		line := strings.TrimPrefix(item.Path, "/")
		switch entry := item.Entry.(type) {
		case tree.Tree:
			usual = 0o755
			line += "/"
		case tree.File:
			line += "=" + content(t, e, entry)
		case tree.Symlink:
			usual = 0o777
			line += " -> " + entry.Target
		default:
			line += " " + entry.Kind().String()
		}
		a := item.Entry.Attr()
		if a.Mode != usual {
			line += fmt.Sprintf(" %o", a.Mode)
		}
		if a.UID != 0 || a.GID != 0 {
			line += fmt.Sprintf(" %d:%d", a.UID, a.GID)
		}
		if a.ModTime != (tree.Time{}) {
			line += fmt.Sprintf(" @%d", a.ModTime.Sec)
		}
		if item.Link != nil && item.Link.First != item.Path {
			line += " ~" + strings.TrimPrefix(item.Link.First, "/")
		}
		if line != "/" {
			out = append(out, line)
		}
	}
	return out
}

func content(t testing.TB, e engine.Engine, f tree.File) string {
	t.Helper()
	if f.Size == 0 {
		return ""
	}
	if f.Size > 200 {
		return fmt.Sprintf("%d bytes", f.Size)
	}
	b, err := read(t, e, f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// of gives a node of a tree that is written as a listing.
func of(lines ...string) *graph.Node {
	n := graph.New(graph.Scratch{}, "scratch")
	for _, l := range lines {
		n = entry(n, l)
	}
	return n
}

func entry(n *graph.Node, line string) *graph.Node {
	var o graph.CopyOptions
	words := strings.Split(line, " ")
	for len(words) > 1 {
		last := words[len(words)-1]
		if len(words) > 2 && words[len(words)-2] == "->" {
			break
		}
		if s, ok := strings.CutPrefix(last, "@"); ok {
			sec, _ := strconv.ParseInt(s, 10, 64)
			o.Time = &sec
		} else if strings.Contains(last, ":") {
			o.Owner = last
		} else {
			o.Mode = last
		}
		words = words[:len(words)-1]
	}
	line = strings.Join(words, " ")
	if name, target, ok := strings.Cut(line, " -> "); ok {
		return on(n, graph.Symlink{Path: "/" + name, Target: target, Options: o})
	}
	if name, content, ok := strings.Cut(line, "="); ok {
		return on(n, graph.NewFile{Path: "/" + name, Content: []byte(content), Options: o})
	}
	return on(n, graph.NewDirectory{Path: "/" + strings.TrimSuffix(line, "/"), Options: o})
}

// on gives the node of an op on others.
func on(n *graph.Node, op graph.Op, more ...*graph.Node) *graph.Node {
	return graph.New(op, op.Name(), append([]*graph.Node{n}, more...)...)
}

// put copies one source to a place.
func put(dst *graph.Node, to string, src *graph.Node, from string, o graph.CopyOptions) *graph.Node {
	return on(dst, graph.Copy{To: to, From: []string{from}, Options: o}, src)
}

// contents is the option of copying what a directory holds.
var contents = graph.CopyOptions{Contents: true}
