package pipeline

import (
	"context"
	"errors"
	"io"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// args expands the arguments of a call, as a shell would, without file names
// for patterns.
func (r *runner) args(ctx context.Context, words []*syntax.Word) ([]arg, error) {
	var out []arg
	for _, w := range words {
		at := posOf(w.Pos())
		v, ok, err := r.whole(ctx, w)
		if err != nil {
			return nil, err
		}
		if ok && v.kind() != isText {
			out = append(out, arg{value: v, at: at})
			continue
		}
		if s, ok := literal(w); ok {
			out = append(out, arg{text: s, at: at})
			continue
		}
		fields, err := expand.Fields(r.expansion(ctx, w, v), w)
		if err != nil {
			return nil, r.expandError(at, err)
		}
		for _, f := range fields {
			out = append(out, arg{text: f, at: at})
		}
	}
	return out, nil
}

// whole gives the value of a shell word that is one $(...) or one variable,
// quoted or not. The value of a pipeline that prints is its text.
func (r *runner) whole(ctx context.Context, w *syntax.Word) (value, bool, error) {
	if len(w.Parts) != 1 {
		return nil, false, nil
	}
	part := w.Parts[0]
	if q, ok := part.(*syntax.DblQuoted); ok && len(q.Parts) == 1 {
		part = q.Parts[0]
	}
	switch p := part.(type) {
	case *syntax.CmdSubst:
		v, err := r.substitute(ctx, p)
		return v, err == nil, err
	case *syntax.ParamExp:
		if p.Exp == nil && p.Repl == nil && p.Slice == nil && p.Index == nil && !p.Length && !p.Excl && p.Param != nil {
			v, ok := r.vars[p.Param.Value]
			return v, ok, nil
		}
	}
	return nil, false, nil
}

func (r *runner) substitute(ctx context.Context, sub *syntax.CmdSubst) (value, error) {
	if r.blind {
		return unknown, nil
	}
	p, err := r.script.substitution(sub)
	if err != nil {
		return nil, err
	}
	return r.pipeline(ctx, p, nil)
}

// literal expands a shell word to one text, as in an assignment.
func (r *runner) literal(ctx context.Context, w *syntax.Word) (string, error) {
	s, err := expand.Literal(r.expansion(ctx, w, nil), w)
	if err != nil {
		return "", r.expandError(posOf(w.Pos()), err)
	}
	return s, nil
}

// expansion says what variables and $(...) are. A value is that of the one
// $(...) that the word is, if it was run already.
func (r *runner) expansion(ctx context.Context, w *syntax.Word, known value) *expand.Config {
	return &expand.Config{
		Env:     variables{r},
		NoUnset: true,
		CmdSubst: func(out io.Writer, sub *syntax.CmdSubst) error {
			v := known
			if v == nil {
				var err error
				if v, err = r.substitute(ctx, sub); err != nil {
					return err
				}
			}
			t, ok := v.(text)
			if !ok {
				return r.script.errorAt(posOf(sub.Left), "%s cannot be a part of a text: let the pipeline end in a word that prints", v.kind())
			}
			_, err := io.WriteString(out, string(t))
			return err
		},
	}
}

func (r *runner) expandError(at Pos, err error) error {
	var se *SyntaxError
	var ce *CallError
	if errors.As(err, &se) || errors.As(err, &ce) {
		return err
	}
	var ue expand.UnsetParameterError
	if errors.As(err, &ue) && ue.Node != nil && ue.Node.Param != nil {
		name := ue.Node.Param.Value
		if v, ok := r.vars[name]; ok {
			return r.script.errorAt(at, "$%s is %s and cannot be a part of a text", name, v.kind())
		}
		return r.script.errorAt(at, "$%s is not set; write ${%s:-} if that is right, or put single quotes around it", name, name)
	}
	return r.script.errorAt(at, "%v", err)
}

// variables are the script's own and the environment's.
type variables struct{ r *runner }

// Get gives a variable.
func (v variables) Get(name string) expand.Variable {
	if val, ok := v.r.vars[name]; ok {
		t, ok := val.(text)
		return expand.Variable{Set: ok, Kind: expand.String, Str: string(t)}
	}
	if v.r.env.Lookup == nil {
		return expand.Variable{}
	}
	s, ok := v.r.env.Lookup(name)
	return expand.Variable{Set: ok, Exported: true, Kind: expand.String, Str: s}
}

// Each gives nothing: no program is started.
func (variables) Each(func(string, expand.Variable) bool) {}

// Set makes ${X:=y} work.
func (v variables) Set(name string, vr expand.Variable) error {
	v.r.vars[name] = text(vr.Str)
	return nil
}
