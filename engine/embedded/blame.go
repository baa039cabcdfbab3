package embedded

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/program"
	"github.com/inlaybuild/inlay/tree"
)

// blame is the step that made a program impossible to start.
type blame struct {
	call string
	text string // what it did
	hint string // how to do otherwise; "" if that is not known
}

// change is a step of the run: the tree before it and after it.
type change struct {
	node          *graph.Node
	before, after tree.Tree
}

// changes gives the steps that led to what the process ran in, the last first: as
// far as each went on from the tree of another one.
func (x *exec) changes() []change {
	var out []change
	for n := x.node.Inputs()[0]; goesOn(n.Op()); n = n.Inputs()[0] {
		before, ok1 := x.step.run.made(n.Inputs()[0])
		after, ok2 := x.step.run.made(n)
		if !ok1 || !ok2 {
			break
		}
		out = append(out, change{n, before.Tree, after.Tree})
	}
	return out
}

// goesOn tells whether an op changes the tree of its first input.
func goesOn(op graph.Op) bool {
	switch op.(type) {
	case graph.Copy, graph.NewFile, graph.NewDirectory, graph.Symlink, graph.Remove, graph.Merge, graph.Configure, graph.Exec, graph.Terminal,
		graph.Rename, graph.Hardlink, graph.SetAttr:
		return true
	}
	return false
}

// made gives what a node came to in this run.
func (r *run) made(n *graph.Node) (engine.Result, bool) {
	r.mu.Lock()
	p, ok := r.pending[n]
	r.mu.Unlock()
	if !ok {
		return engine.Result{}, false
	}
	select {
	case <-p.done:
		return p.result, p.err == nil
	default:
		return engine.Result{}, false
	}
}

// blame finds the step of this run after which a program could not start any
// more, or which put there what cannot be started. It looks at a few paths in the
// tree of each step.
func (x *exec) blame(ctx context.Context, w *program.Why) (blame, error) {
	switch w.Cause {
	case program.Missing, program.NotInPath, program.NotDirectory, program.Loop:
		paths := w.Tried
		if paths == nil {
			paths = []string{x.absolute(w.Path)}
		}
		return x.whoTook(ctx, paths)
	case program.NotExecutable:
		b, err := x.whoPut(ctx, w.At)
		if b.hint == "" {
			b.hint = "set it where it is put there (--mode +x)"
		}
		if w.Mode&0o111 != 0 {
			b.hint = "let this user execute it, or run it as another"
		}
		return b, err
	case program.NotProgram, program.Damaged, program.OtherMachine, program.BadScript, program.IsDirectory, program.NotRegular:
		b, err := x.whoPut(ctx, w.At)
		b.hint = ""
		return b, err
	case program.DOSLine:
		b, err := x.whoPut(ctx, x.absolute(w.Of))
		b.hint = ""
		return b, err
	}
	return blame{}, nil
}

func (x *exec) absolute(p string) string {
	if path.IsAbs(p) {
		return p
	}
	return path.Join(x.spec.Dir, p)
}

// whoTook finds the step before which one of the paths led to something, and
// after which none did.
func (x *exec) whoTook(ctx context.Context, paths []string) (blame, error) {
	for _, c := range x.changes() {
		trail, err := leads(ctx, c.before, paths)
		if err != nil {
			return blame{}, err
		}
		if trail == nil {
			continue
		}
		for _, s := range trail {
			now, err := c.after.Lookup(ctx, s.Path)
			if err != nil && !tree.IsNotExist(err) {
				return blame{}, err
			}
			if err != nil {
				now = nil
			}
			if text := changed(s, now); text != "" {
				b := blame{call: c.node.Call(), text: c.node.Call() + " " + text}
				b.text += x.whichOf(ctx, c.node, s.Path, now)
				b.hint = keepsLinks(c.node.Op(), s.Entry, now)
				return b, nil
			}
		}
		return blame{}, nil
	}
	return blame{}, nil
}

// whichOf names the input of a merge of several that an entry came from; "" where
// there is no question.
func (x *exec) whichOf(ctx context.Context, n *graph.Node, at string, now tree.Entry) string {
	inputs := n.Inputs()
	if _, ok := n.Op().(graph.Merge); !ok || len(inputs) < 3 || now == nil {
		return ""
	}
	for _, in := range slices.Backward(inputs[1:]) {
		r, ok := x.step.run.made(in)
		if !ok || r.Changes != nil {
			continue
		}
		if e, err := r.Tree.Lookup(ctx, at); err == nil && e.Kind() == now.Kind() {
			return " (" + in.Call() + ")"
		}
	}
	return ""
}

// leads gives the way of the first path that leads to something; nil if none does.
func leads(ctx context.Context, t tree.Tree, paths []string) ([]program.Step, error) {
	for _, p := range paths {
		trail, ok, err := program.Trail(ctx, t, p)
		if err != nil || ok {
			return trail, err
		}
	}
	return nil, nil
}

// changed says what became of an entry; "" if it still leads where it did.
func changed(was program.Step, now tree.Entry) string {
	link, wasLink := was.Entry.(tree.Symlink)
	said := "a " + was.Entry.Kind().String()
	if wasLink {
		said += " to " + link.Target
	}
	switch {
	case now == nil:
		return fmt.Sprintf("removed %s, which was %s", was.Path, said)
	case now.Kind() == was.Entry.Kind() && !wasLink:
		return ""
	case !wasLink || now.Kind() != tree.KindSymlink:
		return fmt.Sprintf("replaced %s, which was %s, by %s", was.Path, said, kindOf(now))
	case now.(tree.Symlink).Target != link.Target:
		return fmt.Sprintf("replaced %s, which was %s, by %s", was.Path, said, kindOf(now))
	}
	return ""
}

func kindOf(e tree.Entry) string {
	if l, ok := e.(tree.Symlink); ok {
		return "a symlink to " + l.Target
	}
	return "a " + e.Kind().String()
}

// keepsLinks says how a link would have been followed and not replaced.
func keepsLinks(op graph.Op, was, now tree.Entry) string {
	if was.Kind() != tree.KindSymlink || now == nil || now.Kind() != tree.KindDirectory {
		return ""
	}
	switch op := op.(type) {
	case graph.Merge:
		return "with-directory instead of with-merged follows such links"
	case graph.Copy:
		if op.Options.Overlay {
			return "without --overlay it follows such links"
		}
	}
	return ""
}

// whoPut finds the step that put an entry at a place, as it is now.
func (x *exec) whoPut(ctx context.Context, at string) (blame, error) {
	steps := x.changes()
	i := slices.IndexFunc(steps, func(c change) bool {
		was, err := c.before.Lookup(ctx, at)
		now, err2 := c.after.Lookup(ctx, at)
		return err2 == nil && (err != nil && tree.IsNotExist(err) || err == nil && !same(was, now))
	})
	if i < 0 {
		return blame{}, nil
	}
	c := steps[i]
	b := blame{call: c.node.Call(), text: c.node.Call() + " put it there"}
	was, err := c.before.Lookup(ctx, at)
	now, err2 := c.after.Lookup(ctx, at)
	if err == nil && err2 == nil {
		a, ok1 := was.(tree.File)
		z, ok2 := now.(tree.File)
		switch {
		case ok1 && ok2 && a.Content == z.Content && a.Attributes.Mode&0o111 != 0 && z.Attributes.Mode&0o111 == 0:
			b.text = c.node.Call() + " took it away"
			b.hint = "set it again (chmod +x)"
			if _, ok := c.node.Op().(graph.SetAttr); ok {
				b.hint = "name other paths there, or a mode that keeps it"
			}
			return b, nil
		case was.Kind() != now.Kind():
			b.text = fmt.Sprintf("%s put it there, where %s was", c.node.Call(), kindOf(was))
		}
	}
	b.hint = makesExecutable(c.node.Op())
	return b, nil
}

// same tells whether an entry was left alone.
func same(a, b tree.Entry) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	return a.Kind() == tree.KindDirectory || a == b
}

// makesExecutable says how a step would have given the x bit.
func makesExecutable(op graph.Op) string {
	switch op := op.(type) {
	case graph.Copy:
		if !op.Options.File {
			return "set it in what is copied (chmod +x)"
		}
		return "add --mode +x there"
	case graph.NewFile:
		return "add --mode 0755 there"
	}
	return ""
}
