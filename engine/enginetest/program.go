package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/treetest"
)

// program is a graph as plain data: what generators make and failures are shrunk
// to. Its last step is what is resolved.
type program []step

// step is a node of a program.
type step struct {
	op graph.Op // nil for a literal tree
	in []int    // earlier steps

	list treetest.Listing // of a literal tree
	form form             // how a literal tree comes
}

// node gives the graph, whose literal trees are below dir. Caches have names that
// no other call gives, so that each starts empty.
func (p program) node(dir string) (*graph.Node, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	nodes := make([]*graph.Node, len(p))
	for n, s := range p {
		op := s.op
		if op == nil {
			var err error
			if op, err = s.literal(filepath.Join(dir, fmt.Sprint(n))); err != nil {
				return nil, err
			}
		}
		if x, ok := op.(graph.Exec); ok {
			x.Mounts = slices.Clone(x.Mounts)
			for m := range x.Mounts {
				if x.Mounts[m].Kind == graph.MountCache {
					x.Mounts[m].Name += dir
				}
			}
			op = x
		}
		var in []*graph.Node
		for _, i := range s.in {
			in = append(in, nodes[i])
		}
		nodes[n] = graph.New(op, fmt.Sprintf("%s #%d", op.Name(), n), in...)
	}
	last := nodes[len(p)-1]
	return last, last.Check()
}

// String gives the program for people.
func (p program) String() string {
	var b strings.Builder
	for n, s := range p {
		fmt.Fprintf(&b, "#%d ", n)
		if s.op != nil {
			b.WriteString(describe(s.op))
		} else {
			b.WriteString(string(s.form))
		}
		for i, in := range s.in {
			sep := ", "
			if i == 0 {
				sep = " of "
			}
			fmt.Fprintf(&b, "%s#%d", sep, in)
		}
		b.WriteString("\n")
		if s.op == nil {
			for line := range strings.Lines(s.list.String()) {
				b.WriteString("\t" + line)
			}
		}
		if x, ok := s.op.(graph.Exec); ok && len(x.Args) > 0 {
			for line := range strings.Lines(x.Args[len(x.Args)-1]) {
				b.WriteString("\t| " + strings.TrimSuffix(line, "\n") + "\n")
			}
		}
	}
	return b.String()
}

// execs gives how many processes there are.
func (p program) execs() int {
	n := 0
	for _, s := range p {
		if _, ok := s.op.(graph.Exec); ok {
			n++
		}
	}
	return n
}

// trim gives the program without the steps that its last one does not need.
func (p program) trim() program {
	needed := make([]bool, len(p))
	needed[len(p)-1] = true
	for n := len(p) - 1; n >= 0; n-- {
		for _, i := range p[n].in {
			needed[i] = needed[i] || needed[n]
		}
	}
	var out program
	now := make([]int, len(p))
	for n, s := range p {
		if !needed[n] {
			continue
		}
		s.in = slices.Clone(s.in)
		for i := range s.in {
			s.in[i] = now[s.in[i]]
		}
		now[n] = len(out)
		out = append(out, s)
	}
	return out
}
