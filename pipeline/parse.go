package pipeline

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// statement checks one statement of the shell's grammar.
func (s *Script) statement(st *syntax.Stmt) (statement, error) {
	if call, ok := st.Cmd.(*syntax.CallExpr); ok && len(call.Args) == 0 && len(st.Redirs) == 0 && !st.Negated {
		return s.assignments(st, call)
	}
	p, err := s.pipeline(st, s.goesOn)
	return statement{pipeline: p}, err
}

// assignments checks a line that only sets variables.
func (s *Script) assignments(st *syntax.Stmt, call *syntax.CallExpr) (statement, error) {
	if st.Background {
		return statement{}, s.errorAt(posOf(st.Semicolon), "& is not part of this language")
	}
	for _, a := range call.Assigns {
		if a.Append || a.Index != nil || a.Array != nil || a.Naked {
			return statement{}, s.errorAt(posOf(a.Pos()), "variables are set by NAME=VALUE or NAME=$(pipeline)")
		}
		if a.Value == nil {
			continue
		}
		if err := s.checkWord(a.Value); err != nil {
			return statement{}, err
		}
	}
	return statement{assigns: call.Assigns}, nil
}

// pipeline checks the words of a pipeline and gives them in their order.
func (s *Script) pipeline(st *syntax.Stmt, goesOn bool) (pipeline, error) {
	stmts, err := s.split(st, nil)
	if err != nil {
		return nil, err
	}
	var p pipeline
	for _, st := range stmts {
		c, err := s.call(st)
		if err != nil {
			return nil, err
		}
		if err := s.checkPlace(c, len(p) == 0, goesOn); err != nil {
			return nil, err
		}
		p = append(p, c)
	}
	return p, nil
}

// split gives the parts between the "|" of a statement.
func (s *Script) split(st *syntax.Stmt, parts []*syntax.Stmt) ([]*syntax.Stmt, error) {
	switch {
	case st.Negated:
		return nil, s.errorAt(posOf(st.Pos()), "! is not part of this language")
	case st.Background || st.Coprocess || st.Disown:
		return nil, s.errorAt(posOf(st.Semicolon), "& is not part of this language")
	case len(st.Redirs) > 0:
		r := st.Redirs[0]
		return nil, s.errorAt(posOf(r.OpPos), "%s is not part of this language: quote it, write by `export`, or redirect the output of inlay itself", r.Op)
	}
	b, ok := st.Cmd.(*syntax.BinaryCmd)
	if !ok {
		return append(parts, st), nil
	}
	if b.Op != syntax.Pipe {
		return nil, s.errorAt(posOf(b.OpPos), "%s is not part of this language: separate words by |, and pipelines by a new line or ;", b.Op)
	}
	parts, err := s.split(b.X, parts)
	if err != nil {
		return nil, err
	}
	return s.split(b.Y, parts)
}

// call checks one word with its arguments.
func (s *Script) call(st *syntax.Stmt) (parsedCall, error) {
	expr, ok := st.Cmd.(*syntax.CallExpr)
	if !ok {
		return parsedCall{}, s.errorAt(posOf(st.Pos()), "want a word here, such as `from` or `with-file`; conditions, loops and functions are not part of this language")
	}
	if len(expr.Assigns) > 0 {
		return parsedCall{}, s.errorAt(posOf(expr.Pos()), "set variables on a line of their own, before the pipeline")
	}
	at := posOf(expr.Pos())
	name, ok := literal(expr.Args[0])
	if !ok {
		return parsedCall{}, s.errorAt(at, "a word is written out: it cannot be a variable or $(...)")
	}
	w, ok := s.words[name]
	if !ok {
		return parsedCall{}, s.unknown(at, name)
	}
	c := parsedCall{word: w, at: at, args: expr.Args[1:]}
	for _, a := range c.args {
		if err := s.checkWord(a); err != nil {
			return parsedCall{}, err
		}
	}
	return c, s.checkArgs(c)
}

func (s *Script) unknown(at Pos, name string) error {
	var names []string
	for n := range s.words {
		names = append(names, n)
	}
	if n := nearest(name, names); n != "" {
		return s.errorAt(at, "unknown word %q; did you mean %q?", clip(name), n)
	}
	return s.errorAt(at, "unknown word %q; `inlay do --words` lists them all", clip(name))
}

// checkPlace tells whether a word may stand where it stands.
func (s *Script) checkPlace(c parsedCall, first, goesOn bool) error {
	source := c.word.Group == Sources
	switch {
	case first && !source && !goesOn:
		return s.errorAt(c.at, "a pipeline starts with a source: put `from SRC |`, `host PATH |` or `scratch |` before %s", c.word.Name)
	case !first && source:
		return s.errorAt(c.at, "%s starts a pipeline and cannot follow a |; put it into $(...), or on a line of its own", c.word.Name)
	}
	return nil
}

// checkWord checks the pipelines in the $(...) of a word of the shell.
func (s *Script) checkWord(w *syntax.Word) error {
	var err error
	syntax.Walk(w, func(n syntax.Node) bool {
		if err != nil {
			return false
		}
		if sub, ok := n.(*syntax.CmdSubst); ok {
			_, err = s.substitution(sub)
			return false
		}
		return true
	})
	return err
}

// substitution gives the pipeline in a $(...).
func (s *Script) substitution(sub *syntax.CmdSubst) (pipeline, error) {
	if len(sub.Stmts) != 1 {
		return nil, s.errorAt(posOf(sub.Left), "$(...) holds one pipeline; this one has %d", len(sub.Stmts))
	}
	return s.pipeline(sub.Stmts[0], false)
}

// checkArgs checks flags and the number of arguments, as far as they are
// written out.
func (s *Script) checkArgs(c parsedCall) error {
	var args []arg
	known := true
	for _, w := range c.args {
		a := arg{at: posOf(w.Pos())}
		var ok bool
		if a.text, ok = literal(w); !ok {
			a.open = true
			known = known && oneField(w)
		}
		args = append(args, a)
	}
	_, err := s.sort(c, args, known)
	return err
}

// literal gives the text of a shell word that has nothing to expand in it.
func literal(w *syntax.Word) (string, bool) {
	var b strings.Builder
	for _, p := range w.Parts {
		switch p := p.(type) {
		case *syntax.Lit:
			if strings.ContainsAny(p.Value, `\{`) || strings.HasPrefix(p.Value, "~") {
				return "", false
			}
			b.WriteString(p.Value)
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			for _, q := range p.Parts {
				lit, ok := q.(*syntax.Lit)
				if !ok || strings.Contains(lit.Value, `\`) {
					return "", false
				}
				b.WriteString(lit.Value)
			}
		default:
			return "", false
		}
	}
	return b.String(), true
}

// oneField tells whether a shell word stays one word when it is expanded.
func oneField(w *syntax.Word) bool {
	return !slices.ContainsFunc(w.Parts, func(p syntax.WordPart) bool {
		switch p := p.(type) {
		case *syntax.SglQuoted:
			return false
		case *syntax.DblQuoted:
			return slices.ContainsFunc(p.Parts, func(q syntax.WordPart) bool {
				e, ok := q.(*syntax.ParamExp)
				return ok && e.Param != nil && e.Param.Value == "@"
			})
		case *syntax.Lit:
			return strings.Contains(p.Value, "{")
		}
		return true
	})
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:61] + "..."
	}
	return s
}
