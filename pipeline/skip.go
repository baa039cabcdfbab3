package pipeline

import "context"

// unknown stands for a text that only a result would give.
const unknown = text("$(...)")

// skip plans what is not carried out any more, because a statement failed: those
// behind it, with the variables that it would have set as unknown texts. What is
// wrong with them is nobody's question any more.
func (r *runner) skip(ctx context.Context, failed statement, behind []statement) {
	r.skipping = true
	for _, a := range failed.assigns {
		r.vars[a.Name.Value] = unknown
	}
	for _, st := range behind {
		_ = r.statement(ctx, st)
	}
}

// skipFrom plans the words of a pipeline from one on that failed, and that worked
// on v. The pipelines in its arguments had their turn.
func (r *runner) skipFrom(ctx context.Context, p pipeline, v value, resolved bool) {
	was := r.skipping
	defer func() { r.skipping, r.blind = was, false }()
	r.skipping, r.blind = true, true
	if out, err := (&call{runner: r, parsed: p[0], in: v}).do(ctx); err == nil {
		v = out
	}
	r.blind = false
	r.skipped(ctx, p[1:], v, resolved)
}

// skipped plans words that are not carried out, on from v, and gives what they
// would have made. A word that needs a result to go on is left out. The end of a
// pipeline that would have been resolved is planned, and what its words would have
// printed or written.
func (r *runner) skipped(ctx context.Context, p pipeline, v value, resolved bool) value {
	printed := false
	for i, pc := range p {
		if i > 0 && v == nil { // there was no source
			break
		}
		out, err := (&call{runner: r, parsed: pc, in: v}).do(ctx)
		if err == nil {
			v = out
		}
		printed = printed || pc.word.Group == Prints
	}
	switch {
	case resolved:
		r.plan(v)
	case printed || v == nil:
		return unknown
	}
	return v
}

// plan tells of a value that would have been resolved.
func (r *runner) plan(v value) {
	if n := node(v); n != nil && r.env.Skip != nil {
		r.env.Skip(n)
	}
}
