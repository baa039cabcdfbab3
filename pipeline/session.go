package pipeline

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"mvdan.cc/sh/v3/syntax"
)

// Session is a script that is run while it is written. Each word that makes
// something gives a [Value], which stays, as the variables v1, v2 and so on; a line
// that starts with no source goes on from the current one.
type Session struct {
	runner  *runner
	made    func(context.Context, Value) error // nil for nobody who wants to know
	values  []Value
	current int   // the number of a value; 0 for none
	before  []int // what was current before
	lines   []string
	asked   bool // the last line makes the current value sure to be made
}

// Value is what a word of a session made.
type Value struct {
	Number int
	Word   string // with its arguments, as they were written
	From   int    // the value that it was made of; 0 for a source
	Kind   string // "a file system", "a file" or "a change set"
	// Result is what it came to: of a file, the file system that it is in; of a
	// change set, the changes.
	Result engine.Result

	value  value
	source string // a pipeline that gives it
}

// Node is what the value is resolved by.
func (v Value) Node() *graph.Node { return node(v.value) }

// Mounts gives what processes in the value see beside it. The Input of one that shows
// a tree counts from 1 in the nodes.
func (v Value) Mounts() ([]graph.Mount, []*graph.Node) {
	s, ok := v.value.(system)
	if !ok {
		return nil, nil
	}
	n := s.container().WithTerminal().Node() // which sees what a process would
	return n.Op().(graph.Terminal).Mounts, n.Inputs()[1:]
}

// NewSession gives a session without values. Made is told of each value as it is
// made; it may be nil.
func NewSession(e Environment, made func(context.Context, Value) error) *Session {
	return &Session{runner: newRunner(nil, e), made: made}
}

// Run runs a line: pipelines, of which the first words may be left out that made
// the current value, or variables. Every word is resolved as it comes. The current
// value is then what the last word made; after an error it is what it was before
// the line, and what was made until then stays among the values.
func (s *Session) Run(ctx context.Context, line string) error {
	script, err := parse("", line, s.current > 0)
	if err != nil {
		return err
	}
	s.runner.script = script
	was, before := s.current, len(s.before)
	for _, st := range script.stmts {
		if err := s.statement(ctx, st); err != nil {
			s.current, s.before = was, s.before[:before]
			return err
		}
	}
	return nil
}

// valueName is the name of a variable that stands for a value.
var valueName = regexp.MustCompile(`^v[0-9]+$`)

func (s *Session) statement(ctx context.Context, st statement) error {
	if st.assigns == nil {
		for i, c := range st.pipeline {
			if err := s.word(ctx, c, i == 0 && c.word.Group == Sources); err != nil {
				return err
			}
		}
		return nil
	}
	for _, a := range st.assigns {
		if valueName.MatchString(a.Name.Value) {
			return s.runner.script.errorAt(posOf(a.Pos()), "$%s is a value of this session: take another name", a.Name.Value)
		}
	}
	if err := s.runner.statement(ctx, st); err != nil {
		return err
	}
	for _, a := range st.assigns {
		s.write(printed(a))
	}
	return nil
}

// word runs one word on the current value.
func (s *Session) word(ctx context.Context, parsed parsedCall, source bool) error {
	r := s.runner
	c := &call{runner: r, parsed: parsed, print: r.print}
	from, before := s.current, ""
	if source {
		from = 0
	} else {
		now := s.values[from-1]
		c.in, before = now.value, now.source+" | "
	}
	v, err := c.do(ctx)
	if err != nil {
		return r.failed(c, err)
	}
	text := before + parsed.text()
	if g := parsed.word.Group; g == Prints || g == Writes {
		s.write(text)
		s.asked = true
		return nil
	}
	res, err := r.resolve(ctx, node(v))
	if err == nil {
		res, err = res.Known(ctx)
	}
	if err != nil {
		return r.failed(c, err)
	}
	made := s.add(Value{Word: parsed.text(), From: from, Kind: v.kind().String(), Result: res, value: v}, text)
	if s.made == nil {
		return nil
	}
	return s.made(ctx, made)
}

// add makes a value the current one.
func (s *Session) add(v Value, text string) Value {
	v.Number = len(s.values) + 1
	name := "v" + strconv.Itoa(v.Number)
	s.runner.vars[name] = v.value
	v.source = "from $" + name
	if _, ok := v.value.(system); !ok { // which cannot begin a pipeline
		v.source = text
	}
	s.write(name + "=$(" + text + ")")
	s.values = append(s.values, v)
	s.before = append(s.before, s.current)
	s.current = v.Number
	return v
}

// write adds a line to the script.
func (s *Session) write(line string) {
	s.lines = append(s.lines, line)
	s.asked = false
}

// Note adds a comment to the script: something that was done, and is no part of it.
func (s *Session) Note(text string) {
	s.lines = append(s.lines, "# "+strings.ReplaceAll(text, "\n", " "))
}

// Values gives all values.
func (s *Session) Values() []Value { return slices.Clone(s.values) }

// Value gives a value by its number.
func (s *Session) Value(number int) (Value, error) {
	if number < 1 || number > len(s.values) {
		if len(s.values) == 0 {
			return Value{}, fmt.Errorf("there is no value yet: start with a source, such as `from debian:12`")
		}
		return Value{}, fmt.Errorf("there is no value v%d: want v1 to v%d", number, len(s.values))
	}
	return s.values[number-1], nil
}

// Current gives the value that the next line goes on from; false if there is none.
func (s *Session) Current() (Value, bool) {
	if s.current == 0 {
		return Value{}, false
	}
	return s.values[s.current-1], true
}

// Use makes another value the current one.
func (s *Session) Use(number int) error {
	if _, err := s.Value(number); err != nil {
		return err
	}
	if number != s.current {
		s.before = append(s.before, s.current)
		s.current = number
		s.asked = false
	}
	return nil
}

// Undo makes that value the current one which was so before, and tells whether
// there was one. No value is lost by it.
func (s *Session) Undo() bool {
	if len(s.before) == 0 {
		return false
	}
	s.current = s.before[len(s.before)-1]
	s.before = s.before[:len(s.before)-1]
	s.asked = false
	return true
}

// Names gives the variables of the session, sorted.
func (s *Session) Names() []string {
	var out []string
	for name := range s.runner.vars {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Script gives what was done as a script that does it again and ends with the
// current value.
func (s *Session) Script() string {
	lines := s.lines
	if now, ok := s.Current(); ok && !s.asked {
		lines = append(slices.Clone(lines), now.source)
	}
	return strings.Join(append(lines, ""), "\n")
}

// text gives a word with its arguments, as they were written.
func (c parsedCall) text() string {
	parts := []string{c.word.Name}
	for _, a := range c.args {
		parts = append(parts, printed(a))
	}
	return strings.Join(parts, " ")
}

// printed gives a part of a script as it is written.
func printed(n syntax.Node) string {
	var b strings.Builder
	_ = syntax.NewPrinter(syntax.SingleLine(true)).Print(&b, n) // a builder has no errors
	return b.String()
}
