package pipeline

import (
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"mvdan.cc/sh/v3/syntax"
)

// Environment is what a script is run with.
type Environment struct {
	// Client resolves what the script describes.
	Client *inlay.Client
	// Events receives how far words that write are. Nil drops it.
	Events engine.Sink
	// Lookup gives variables that the script does not set. Nil has none.
	Lookup func(name string) (string, bool)
	// Print receives what words print. Nil drops it.
	Print func(context.Context, Output) error
	// Overlay makes copies overlays unless they say otherwise.
	Overlay bool
	// Step names the step exactly that a place of the last run means, "last" or
	// "last@STEP": by what is written in its stead into the script of a [Session]. Nil
	// leaves it to the client, and so does the same name.
	Step func(name string) string
	// Skip receives nodes that would have been resolved if nothing had failed
	// before. Nil drops them.
	Skip func(*graph.Node)
}

// Run carries out the script, pipeline by pipeline. A pipeline is resolved
// when a word prints or writes, and at its end. Errors that come from a word are
// *[CallError]; what is found only now to be wrong with the script itself is a
// *[SyntaxError]. What is behind the first error is not carried out, and given to
// the environment's Skip.
func (s *Script) Run(ctx context.Context, e Environment) error {
	r := newRunner(s, e)
	for i, st := range s.stmts {
		if err := r.statement(ctx, st); err != nil {
			r.skip(ctx, st, s.stmts[i+1:])
			return err
		}
	}
	return nil
}

// runner is one execution of a script.
type runner struct {
	script *Script
	env    Environment
	vars   map[string]value
	labels map[string]*call // by how the nodes of the call are named
	within map[string]*call // by how nodes are named that arguments of the call stand for
	made   map[*graph.Node]engine.Result

	skipping bool // something failed: nothing is resolved any more
	blind    bool // pipelines in arguments are not looked into
}

func newRunner(s *Script, e Environment) *runner {
	return &runner{
		script: s, env: e, vars: map[string]value{},
		labels: map[string]*call{}, within: map[string]*call{}, made: map[*graph.Node]engine.Result{},
	}
}

func (r *runner) statement(ctx context.Context, st statement) error {
	if st.assigns == nil {
		_, err := r.pipeline(ctx, st.pipeline, r.print)
		return err
	}
	for _, a := range st.assigns {
		v, err := r.assigned(ctx, a)
		if err != nil {
			return err
		}
		vars := maps.Clone(r.vars)
		vars[a.Name.Value] = v
		r.vars = vars
	}
	return nil
}

func (r *runner) assigned(ctx context.Context, a *syntax.Assign) (value, error) {
	if a.Value == nil {
		return text(""), nil
	}
	if v, ok, err := r.whole(ctx, a.Value); ok || err != nil {
		return v, err
	}
	s, err := r.literal(ctx, a.Value)
	return text(s), err
}

// pipeline runs the calls of a pipeline. What the last one prints goes to
// print; a nil print leaves a pipeline that prints nothing unresolved, as $(...)
// and variables have it, and collects text instead.
func (r *runner) pipeline(ctx context.Context, p pipeline, print func(context.Context, Output) error) (value, error) {
	if r.skipping {
		return r.skipped(ctx, p, nil, print != nil), nil
	}
	var v value
	var printed strings.Builder
	wrote := false
	for i, pc := range p {
		c := &call{runner: r, parsed: pc, in: v}
		c.print = print
		if print == nil {
			c.print = func(ctx context.Context, o Output) error {
				s, err := o.text(ctx)
				printed.WriteString(s)
				return err
			}
		}
		made, err := c.do(ctx)
		if err != nil {
			err = r.failed(c, err)
			r.skipFrom(ctx, p[i:], v, print != nil)
			return nil, err
		}
		v = made
		if pc.word.Group == Prints {
			wrote = true
		}
	}
	last := p[len(p)-1]
	switch {
	case print == nil && wrote:
		return text(strings.TrimRight(printed.String(), "\n")), nil
	case print == nil || last.word.Group == Prints || last.word.Group == Writes:
		return v, nil
	}
	if _, err := r.resolve(ctx, node(v)); err != nil {
		return nil, r.failed(&call{runner: r, parsed: last}, err)
	}
	return v, nil
}

// resolve makes what a node stands for, once.
func (r *runner) resolve(ctx context.Context, n *graph.Node) (engine.Result, error) {
	if res, ok := r.made[n]; ok {
		return res, nil
	}
	res, err := r.env.Client.Resolve(ctx, n)
	if err == nil {
		r.made[n] = res
	}
	return res, err
}

// node gives what a value is resolved by.
func node(v value) *graph.Node {
	switch v := v.(type) {
	case system:
		return v.dir.Node()
	case file:
		d, _ := v.Directory()
		return d.Node()
	case changes:
		return v.node
	}
	return nil
}

// failed says which word an error is of: the one that made the node in
// question, or else the one that was being run.
func (r *runner) failed(c *call, err error) error {
	var se *SyntaxError
	var ce *CallError
	if errors.As(err, &se) || errors.As(err, &ce) {
		return err
	}
	e := &CallError{Name: r.script.name, Pos: c.parsed.at, Word: c.parsed.word.Name, Err: err}
	var ge *graph.CallError
	if errors.As(err, &ge) {
		if made, ok := r.labels[ge.Call]; ok {
			e.Pos, e.Word, e.named = made.parsed.at, made.parsed.word.Name, true
		} else if made, ok := r.within[ge.Call]; ok {
			e.Pos, e.Word = made.parsed.at, made.label()
		}
	}
	return e
}

func (r *runner) print(ctx context.Context, o Output) error {
	if r.env.Print == nil {
		return nil
	}
	return r.env.Print(ctx, o)
}
