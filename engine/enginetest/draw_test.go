package enginetest

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

var root = step{op: graph.Host{Path: "/root", KeepOwner: true}}

func TestASeedGivesOneGraph(t *testing.T) {
	for seed := range uint64(50) {
		if a, b := draw(seed, Limits{}, root).String(), draw(seed, Limits{}, root).String(); a != b {
			t.Fatalf("seed %d gives\n%s\nand\n%s", seed, a, b)
		}
	}
}

func TestGraphsHaveAllOpsAndOnlyWhatLimitsAllow(t *testing.T) {
	seen := map[string]bool{}
	limits := Limits{UTF8: true, DirectoriesOnly: true, NoExecs: true, Trees: treetest.Limits{NoXattrs: true, NoNodes: true}}
	for seed := range uint64(200) {
		for _, s := range draw(seed, Limits{}, root) {
			if s.op != nil {
				seen[s.op.Name()] = true
			} else {
				seen[string(s.form)] = true
			}
		}
		for _, s := range draw(seed, limits, step{}) {
			if _, ok := s.op.(graph.Exec); ok || s.op == nil && s.form != asDirectory {
				t.Fatalf("seed %d has %s %s", seed, s.form, describe(s.op))
			}
			for _, i := range s.list {
				if !utf8.ValidString(i.Path+i.Target) || i.Kind > tree.KindSymlink && i.Kind != tree.KindFifo || i.Attr.Xattrs != (tree.Xattrs{}) {
					t.Fatalf("seed %d has %s", seed, i)
				}
			}
		}
		if p := draw(seed, Limits{Execs: true}, root); p.execs() == 0 {
			t.Fatalf("seed %d has no process", seed)
		}
	}
	for _, op := range []graph.Op{
		graph.Copy{}, graph.NewFile{}, graph.NewDirectory{}, graph.Symlink{}, graph.Remove{}, graph.Rename{}, graph.Hardlink{},
		graph.SetAttr{}, graph.Sub{}, graph.Merge{}, graph.Diff{}, graph.Configure{}, graph.Exec{},
	} {
		if !seen[op.Name()] {
			t.Errorf("no graph has %s", op.Name())
		}
	}
	for _, f := range []form{asDirectory, asTar, asImage} {
		if !seen[string(f)] {
			t.Errorf("no tree comes as a %s", f)
		}
	}
}

// What makes a graph fail is all that is left of it.
func TestAFailingGraphIsMadeSmall(t *testing.T) {
	var p program
	for seed := uint64(1); ; seed++ {
		if p = draw(seed, Limits{Execs: true}, root); len(p) > 10 && hasLine(p, "find") && strings.Contains(p.String(), "Overlay=true") {
			break
		}
	}
	small := shrink(p, func(q program) bool {
		return hasLine(q, "find") && slices.ContainsFunc(q, func(s step) bool {
			c, ok := s.op.(graph.Copy)
			return ok && c.Options.Overlay
		})
	})
	if len(small) > 4 || strings.Count(small.String(), "\n") > 6 {
		t.Errorf("of\n%s\nthere is left\n%s", p, small)
	}
}

// hasLine tells whether a process of the program has a line of a script that begins so.
func hasLine(p program, line string) bool {
	return slices.ContainsFunc(p, func(s step) bool {
		x, ok := s.op.(graph.Exec)
		return ok && len(x.Args) > 2 && strings.Contains(x.Args[2], "\n"+line)
	})
}
