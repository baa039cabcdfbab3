package embedded_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// mutant is an engine with an error in it.
type mutant struct {
	*embedded.Engine
	item    func(*treetest.Item)                         // changes an entry of results
	list    func(treetest.Listing) treetest.Listing      // changes the tree of results
	op      func(graph.Op) graph.Op                      // changes what is carried out
	node    func(*graph.Node, []*graph.Node) *graph.Node // the same; nil is the op on the inputs
	result  func(*engine.Result)
	err     func(error) error
	event   func(engine.Event) engine.Event // nil for none
	content func(io.ReadCloser) io.ReadCloser
}

// Resolve makes an error somewhere.
func (m *mutant) Resolve(ctx context.Context, n *graph.Node, s engine.Sink) (engine.Result, error) {
	if m.event != nil && s != nil {
		to := s
		s = engine.SinkFunc(func(ev engine.Event) {
			if ev = m.event(ev); ev != nil {
				to.Event(ev)
			}
		})
	}
	r, err := m.Engine.Resolve(ctx, m.rewrite(n, map[*graph.Node]*graph.Node{}), s)
	if err != nil {
		if m.err != nil {
			err = m.err(err)
		}
		return r, err
	}
	if m.item != nil || m.list != nil {
		l := treetest.List(r.Tree)
		for i := range l {
			if m.item != nil {
				m.item(&l[i])
			}
		}
		if m.list != nil {
			l = m.list(l)
		}
		r.Tree = l.MustTree()
	}
	if m.result != nil {
		m.result(&r)
	}
	return r, nil
}

func (m *mutant) rewrite(n *graph.Node, done map[*graph.Node]*graph.Node) *graph.Node {
	if m.op == nil && m.node == nil {
		return n
	}
	if done[n] != nil {
		return done[n]
	}
	var in []*graph.Node
	for _, i := range n.Inputs() {
		in = append(in, m.rewrite(i, done))
	}
	op := n.Op()
	if m.op != nil {
		op = m.op(op)
	}
	out := graph.New(op, n.Call(), in...)
	if m.node != nil {
		if other := m.node(n, in); other != nil {
			out = other
		}
	}
	done[n] = out
	return out
}

// OpenContent opens what may be something else.
func (m *mutant) OpenContent(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
	rc, err := m.Engine.OpenContent(ctx, d)
	if err == nil && m.content != nil {
		rc = m.content(rc)
	}
	return rc, err
}

// onCopy changes the options of copies.
func onCopy(f func(*graph.Copy)) func(graph.Op) graph.Op {
	return func(op graph.Op) graph.Op {
		if c, ok := op.(graph.Copy); ok {
			f(&c)
			return c
		}
		return op
	}
}

// onExec changes processes.
func onExec(f func(*graph.Exec)) func(graph.Op) graph.Op {
	return func(op graph.Op) graph.Op {
		if x, ok := op.(graph.Exec); ok {
			f(&x)
			return x
		}
		return op
	}
}

// Errors that an engine could have, and what the comparison says of each.
var mutants = []struct {
	name   string
	kind   string // of the difference
	execs  bool   // it can only be seen where processes run
	mutant mutant
}{
	{"an extended attribute is dropped", "tree", false, mutant{item: func(i *treetest.Item) { i.Attr.Xattrs = tree.Xattrs{} }}},
	{"a time is a nanosecond off", "tree", false, mutant{item: func(i *treetest.Item) { i.Attr.ModTime.Nsec ^= 1 }}},
	{"times are whole seconds", "tree", false, mutant{item: func(i *treetest.Item) { i.Attr.ModTime.Nsec = 0 }}},
	{"owners become root", "tree", false, mutant{item: func(i *treetest.Item) { i.Attr.UID = 0 }}},
	{"groups become root", "tree", false, mutant{item: func(i *treetest.Item) { i.Attr.GID = 0 }}},
	{"chown takes setuid away", "tree", false, mutant{item: func(i *treetest.Item) {
		if i.Kind == tree.KindFile {
			i.Attr.Mode &^= tree.SetUID
		}
	}}},
	{"the root is as a new one", "tree", false, mutant{item: func(i *treetest.Item) {
		if i.Path == "/" {
			i.Attr = tree.Attr{Mode: 0o755}
		}
	}}},
	{"targets of symlinks are cleaned", "tree", false, mutant{item: func(i *treetest.Item) {
		if i.Kind == tree.KindSymlink {
			i.Target = path.Clean(i.Target)
		}
	}}},
	{"devices are others", "tree", false, mutant{item: func(i *treetest.Item) {
		if i.Kind == tree.KindBlockDevice {
			i.Minor++
		}
	}}},
	{"sockets are fifos", "tree", false, mutant{item: func(i *treetest.Item) {
		if i.Kind == tree.KindSocket {
			i.Kind = tree.KindFifo
		}
	}}},
	{"names of one inode are files of their own", "tree", false, mutant{item: func(i *treetest.Item) { i.Same = "" }}},
	{"a file is empty", "tree", false, mutant{item: func(i *treetest.Item) {
		if i.Kind == tree.KindFile {
			i.Size, i.Content = 0, digest.Digest{}
		}
	}}},
	{"whiteouts of the source are taken for some", "tree", false, mutant{list: func(l treetest.Listing) treetest.Listing {
		return l.Filter(func(i treetest.Item) bool { return !strings.HasPrefix(path.Base(i.Path), ".wh.") })
	}}},
	{"empty directories are lost", "tree", false, mutant{list: func(l treetest.Listing) treetest.Listing {
		return l.Filter(func(i treetest.Item) bool {
			return i.Kind != tree.KindDirectory || slices.ContainsFunc(l, func(j treetest.Item) bool { return path.Dir(j.Path) == i.Path && j.Path != "/" })
		})
	}}},
	{"a content is served wrong", "broken", false, mutant{content: func(rc io.ReadCloser) io.ReadCloser {
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(strings.NewReader("x"), rc), rc}
	}}},

	{"copies are merged as layers", "tree", false, mutant{op: onCopy(func(c *graph.Copy) { c.Options.Overlay = true })}},
	{"layers are merged as copies", "tree", false, mutant{op: onCopy(func(c *graph.Copy) { c.Options.Overlay = false })}},
	{"symlinks are followed that should be kept", "tree", false, mutant{op: onCopy(func(c *graph.Copy) { c.Options.KeepLink = false })}},
	{"what is excluded is copied", "tree", false, mutant{op: onCopy(func(c *graph.Copy) { c.Options.Exclude = nil })}},
	{"all is copied, not what is included", "tree", false, mutant{op: onCopy(func(c *graph.Copy) { c.Options.Include = nil })}},
	{"what is ignored is copied", "tree", false, mutant{op: onCopy(func(c *graph.Copy) { c.Options.Gitignore = false })}},
	{"modes are not given", "tree", false, mutant{op: onCopy(func(c *graph.Copy) { c.Options.Mode = "" })}},
	{"times are not given", "tree", false, mutant{op: onCopy(func(c *graph.Copy) { c.Options.Time = nil })}},
	{"copies are of now", "tree", false, mutant{op: onCopy(func(c *graph.Copy) {
		now := time.Now().Unix()
		c.Options.Time = &now
	})}},
	{"the destination is not emptied", "tree", false, mutant{op: onCopy(func(c *graph.Copy) {
		if c.Options.Existing == "replace" {
			c.Options.Existing = ""
		}
	})}},
	{"what is forbidden is done", "error", false, mutant{op: onCopy(func(c *graph.Copy) {
		if c.Options.Existing == "forbid" {
			c.Options.Existing = ""
		}
	})}},
	{"no match is an error", "error", false, mutant{op: onCopy(func(c *graph.Copy) { c.Options.AllowEmpty = false })}},
	{"earlier ones win in a merge", "tree", false, mutant{node: func(n *graph.Node, in []*graph.Node) *graph.Node {
		if _, ok := n.Op().(graph.Merge); ok && !slices.ContainsFunc(n.Inputs(), isDiff) {
			in = slices.Clone(in)
			slices.Reverse(in)
			return graph.New(graph.Merge{}, n.Call(), in...)
		}
		return nil
	}}},
	{"a difference removes nothing", "tree", false, mutant{node: func(n *graph.Node, in []*graph.Node) *graph.Node {
		if isDiff(n) {
			return in[1]
		}
		return nil
	}}},
	{"nothing is taken away", "tree", false, mutant{node: func(n *graph.Node, in []*graph.Node) *graph.Node {
		if _, ok := n.Op().(graph.Remove); ok {
			return in[0]
		}
		return nil
	}}},
	{"attributes are not given to what is below", "tree", false, mutant{op: func(op graph.Op) graph.Op {
		if s, ok := op.(graph.SetAttr); ok {
			s.Shallow = true
			return s
		}
		return op
	}}},
	{"a copy loses the configuration", "config", false, mutant{result: func(r *engine.Result) { r.Config = image.NewConfig(r.Config.Platform()) }}},

	{"errors do not name the call", "error", false, mutant{err: func(err error) error {
		var ce *graph.CallError
		if errors.As(err, &ce) {
			return ce.Err
		}
		return err
	}}},
	{"losses are silent", "losses", false, mutant{event: func(ev engine.Event) engine.Event {
		if _, ok := ev.(engine.Replaced); ok {
			return nil
		}
		return ev
	}}},
	{"placements are not told", "placements", false, mutant{event: func(ev engine.Event) engine.Event {
		if _, ok := ev.(engine.Placed); ok {
			return nil
		}
		return ev
	}}},
	{"placements do not tell of symlinks", "placements", false, mutant{event: func(ev engine.Event) engine.Event {
		if p, ok := ev.(engine.Placed); ok {
			p.List = slices.Clone(p.List)
			for i := range p.List {
				p.List[i].Hops = nil
			}
			return p
		}
		return ev
	}}},
	{"steps do not end", "steps", false, mutant{event: func(ev engine.Event) engine.Event {
		if e, ok := ev.(engine.StepEnded); ok && e.Err != nil {
			return nil
		}
		return ev
	}}},

	{"exit codes are others", "exit", true, mutant{result: func(r *engine.Result) {
		if r.Exec != nil {
			x := *r.Exec
			x.ExitCode++
			r.Exec = &x
		}
	}}},
	{"what a process said is forgotten", "exit", true, mutant{result: func(r *engine.Result) { r.Exec = nil }}},
	{"the streams are one", "stdout", true, mutant{result: func(r *engine.Result) {
		if r.Exec != nil {
			x := *r.Exec
			x.Stdout, x.Stderr = x.Stderr, x.Stdout
			r.Exec = &x
		}
	}}},
	{"what a process wrote has no time", "tree", true, mutant{item: func(i *treetest.Item) {
		if i.Attr.ModTime.Sec > 1<<30 {
			i.Attr.ModTime = tree.Time{}
		}
	}}},
	{"a mount leaves a directory", "tree", true, mutant{list: func(l treetest.Listing) treetest.Listing {
		if l.Find("/usr/bin/busybox") == nil {
			return l
		}
		l = append(l, treetest.Item{Path: "/mnt-tree", Kind: tree.KindDirectory, Attr: tree.Attr{Mode: 0o755}})
		l.Sort()
		return l
	}}},
	{"other exit codes are failures", "error", true, mutant{op: onExec(func(x *graph.Exec) { x.Expect = nil })}},
	{"a failure has no output", "error", true, mutant{err: func(err error) error {
		var x *engine.ExecError
		if errors.As(err, &x) {
			x.Stderr = nil
		}
		return err
	}}},
	{"a process gets no input", "output", true, mutant{op: onExec(func(x *graph.Exec) { x.Stdin = nil })}},
	{"a process gets no variables", "stdout", true, mutant{op: onExec(func(x *graph.Exec) { x.Env = nil })}},
	{"output is not told", "output", true, mutant{event: func(ev engine.Event) engine.Event {
		if o, ok := ev.(engine.Output); ok && o.Stderr {
			return nil
		}
		return ev
	}}},
	{"what a failure left is forgotten", "left", true, mutant{node: func(n *graph.Node, _ []*graph.Node) *graph.Node {
		if f, ok := n.Op().(graph.From); ok && strings.HasSuffix(f.Source, "@failed") {
			return graph.New(graph.Scratch{}, n.Call())
		}
		return nil
	}}},
}

func isDiff(n *graph.Node) bool { _, ok := n.Op().(graph.Diff); return ok }

// Each error shows in the first graphs that are drawn, and as what it is.
func TestEveryMutantIsNoticed(t *testing.T) {
	needsProcesses(t)
	quick := embedded.Options{}
	remembering := embedded.Options{Secret: enginetest.Secret, Record: true}
	a, b := open(t, quick), open(t, quick)
	x, y := open(t, remembering), open(t, remembering)
	// Processes that ran for one mutant are not run again for the next.
	o := enginetest.EqualOptions{AtATime: 1, Since: time.Now().Add(-time.Second)}
	for i, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			if i%3 != 0 && os.Getenv("INLAY_LONG") == "" {
				t.Skip("every third one is enough: INLAY_LONG=1 has all")
			}
			right, wrong := a, m.mutant
			wrong.Engine = b
			if m.execs {
				right, wrong.Engine = x, y
			}
			noticed(t, m.kind, m.execs, o, right, &wrong)
		})
	}
	t.Run("runs are not remembered", func(t *testing.T) {
		noticed(t, "records", false, o, x, open(t, embedded.Options{Secret: enginetest.Secret}))
	})
	t.Run("logs are cut", func(t *testing.T) {
		noticed(t, "logs", true, o, x, open(t, embedded.Options{Secret: enginetest.Secret, Record: true, LogLimit: 8192}))
	})
}

// noticed fails the test unless a difference of the kind is found.
func noticed(t *testing.T, kind string, execs bool, o enginetest.EqualOptions, a, b engine.Engine) {
	t.Helper()
	o.Kind, o.Limits.Execs, o.Limits.NoExecs = kind, execs, !execs
	d, ok := enginetest.FirstDifference(t, 200, o, func(testing.TB) (engine.Engine, engine.Engine) { return a, b })
	if !ok {
		t.Fatal("nobody notices")
	}
	t.Log(d)
}
