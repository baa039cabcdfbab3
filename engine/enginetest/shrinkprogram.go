package enginetest

import (
	"reflect"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/treetest"
)

// shrink gives a program that still fails and has less in it: steps, entries of
// trees, lines of scripts, options. It asks fails many times.
func shrink(p program, fails func(program) bool) program {
	for again := true; again; {
		again = false
		for _, s := range p.smaller() {
			if fails(s) {
				p, again = s, true
				break
			}
		}
	}
	for n, s := range p {
		if s.op != nil {
			continue
		}
		c := treetest.Shrink(treetest.Case{Verb: "merge", Dst: s.list}, func(c treetest.Case) bool { return fails(p.with(n, c.Dst)) })
		p = p.with(n, c.Dst)
	}
	return p
}

// with gives the program with another literal tree.
func (p program) with(n int, l treetest.Listing) program {
	p = slices.Clone(p)
	p[n].list = l
	return p
}

// smaller gives programs that are simpler in one thing, the boldest first.
func (p program) smaller() []program {
	var out []program
	for n := range p[:len(p)-1] {
		if !isDiff(p[n]) {
			out = append(out, p[:n+1].trim())
		}
	}
	for n := range p {
		if q, ok := p.skip(n); ok {
			out = append(out, q)
		}
	}
	for n, s := range p {
		if s.op == nil {
			if len(s.list) > 1 {
				out = append(out, p.with(n, s.list[:1]))
			}
			if s.form != asDirectory {
				q := slices.Clone(p)
				q[n].form = asDirectory
				out = append(out, q)
			}
			continue
		}
		if _, ok := s.op.(graph.Host); ok {
			continue
		}
		for _, op := range simpler(s.op) {
			if op.Check() == nil {
				q := slices.Clone(p)
				q[n].op = op
				out = append(out, q)
			}
		}
	}
	return out
}

// skip gives the program without a step: its first input stands for it.
func (p program) skip(n int) (program, bool) {
	if len(p[n].in) == 0 {
		return nil, false
	}
	to := p[n].in[0]
	if n == len(p)-1 {
		return nil, false // the programs that end earlier have it
	}
	q := slices.Clone(p)
	for m := range q {
		q[m].in = slices.Clone(q[m].in)
		for i := range q[m].in {
			if q[m].in[i] == n {
				q[m].in[i] = to
			}
		}
	}
	return q.trim(), true
}

// simpler gives ops with one field less, or an element of one.
func simpler(op graph.Op) []graph.Op {
	var out []graph.Op
	v := reflect.New(reflect.TypeOf(op)).Elem()
	v.Set(reflect.ValueOf(op))
	vary(v, func() { out = append(out, v.Interface().(graph.Op)) })
	return out
}

// vary makes fields of a struct simpler, one after another, and calls f for each.
func vary(v reflect.Value, f func()) {
	for i := range v.NumField() {
		field := v.Field(i)
		if field.IsZero() {
			continue
		}
		was := reflect.New(field.Type()).Elem()
		was.Set(field)
		if field.Kind() == reflect.Struct {
			vary(field, f)
			continue
		}
		field.SetZero()
		f()
		if strings, ok := was.Interface().([]string); ok {
			for _, s := range fewer(strings) {
				field.Set(reflect.ValueOf(s))
				f()
			}
		} else if field.Kind() == reflect.Slice && was.Len() > 1 {
			for n := range was.Len() {
				field.Set(reflect.AppendSlice(was.Slice3(0, n, n), was.Slice(n+1, was.Len())))
				f()
			}
		}
		field.Set(was)
	}
}

// fewer gives lists with an element less, or lines of the last one: a script.
func fewer(l []string) [][]string {
	var out [][]string
	last := len(l) - 1
	if lines := strings.SplitAfter(l[last], "\n"); len(lines) > 2 {
		for size := len(lines) / 2; size >= 1; size /= 2 { // few lines matter
			for n := 0; n < len(lines); n += size {
				s := slices.Clone(l)
				s[last] = strings.Join(slices.Delete(slices.Clone(lines), n, min(n+size, len(lines))), "")
				if s[last] != l[last] {
					out = append(out, s)
				}
			}
		}
		return out
	}
	if last > 0 {
		for n := range l {
			out = append(out, slices.Delete(slices.Clone(l), n, n+1))
		}
	}
	return out
}
