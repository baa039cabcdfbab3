package prompt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/pipeline"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// Command is something that a line can say beside pipelines.
type Command struct {
	Name, Args, Short string
	// Looks tells that it only looks: it is noted in the script, as a comment.
	Looks bool
	// Takes is what its arguments are completed from.
	Takes Takes
	Run   func(ctx context.Context, p *Prompt, args []string) error
}

// Takes is what arguments of a [Command] can be.
type Takes int

// The values of [Takes].
const (
	Nothing Takes = iota
	Values        // or steps
	Paths         // of a value, or a value or a step
	Runs
	files
	words
)

// Usage gives the command with its arguments.
func (c Command) Usage() string { return strings.TrimSpace(c.Name + " " + c.Args) }

// commands gives all commands, in the order that help has them.
func (p *Prompt) commands() []Command {
	return slices.Concat(p.Commands, []Command{
		{"values", "", "list all values so far", false, Nothing, list},
		{"use", "vN", "go on from another value", false, Values, use},
		{"undo", "", "go back to the value before; none is lost", false, Nothing, undo},
		{"save", "FILE", "write what was done as a script, for `inlay do -f FILE`", false, files, save},
		{"help", "[WORD]", "tell what there is, or of one word", false, words, help},
		{"exit", "", "end", false, Nothing, func(context.Context, *Prompt, []string) error { return errEnd }},
	})
}

// command finds the command that a line is, with its arguments. A line with a | or
// a $(...) is a pipeline.
func (p *Prompt) command(line string) (Command, []string, bool) {
	file, err := syntax.NewParser().Parse(strings.NewReader(line), "")
	if err != nil || len(file.Stmts) != 1 || len(file.Stmts[0].Redirs) > 0 || file.Stmts[0].Background || file.Stmts[0].Negated {
		return Command{}, nil, false
	}
	call, ok := file.Stmts[0].Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 || len(call.Assigns) > 0 {
		return Command{}, nil, false
	}
	args, err := expand.Fields(&expand.Config{Env: expand.FuncEnviron(variable)}, call.Args...)
	if err != nil || len(args) == 0 { // as with $(...)
		return Command{}, nil, false
	}
	if args[0] == "quit" {
		args[0] = "exit"
	}
	for _, c := range p.commands() {
		if c.Name == args[0] {
			return c, args[1:], true
		}
	}
	return Command{}, nil, false
}

// variable gives what a variable stands for in a command: a value, for its name.
func variable(name string) string {
	if isValue.MatchString(name) {
		return name
	}
	return os.Getenv(name)
}

var isValue = regexp.MustCompile(`^v[0-9]+$`)

// IsValue tells whether an argument names a value.
func IsValue(arg string) bool { return isValue.MatchString(arg) }

// Before gives the value that another one was made of; false if that is none.
func (p *Prompt) Before(v pipeline.Value) (pipeline.Value, bool) {
	from, err := p.values.Value(v.From)
	return from, err == nil
}

// Value takes the name of a value from the front of arguments; without one it is
// the current.
func (p *Prompt) Value(args []string) (pipeline.Value, []string, error) {
	if len(args) > 0 && isValue.MatchString(args[0]) {
		n, err := strconv.Atoi(args[0][1:])
		if err != nil {
			return pipeline.Value{}, nil, fmt.Errorf("there is no value %s", args[0])
		}
		v, err := p.values.Value(n)
		return v, args[1:], err
	}
	v, ok := p.values.Current()
	if !ok {
		return v, nil, errors.New("there is no value to look at: start with a source, such as `from debian:12`")
	}
	return v, args, nil
}

func list(_ context.Context, p *Prompt, _ []string) error {
	now, _ := p.values.Current()
	var b strings.Builder
	for _, v := range p.values.Values() {
		mark, from := " ", ""
		if v.Number == now.Number {
			mark = "*"
		}
		if v.From > 0 {
			from = fmt.Sprintf("v%d | ", v.From)
		}
		fmt.Fprintf(&b, "%s v%-3d %s%s\n", mark, v.Number, from, show.Line(v.Word))
	}
	p.write(b.String())
	return nil
}

func use(_ context.Context, p *Prompt, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: use vN")
	}
	n, err := strconv.Atoi(strings.TrimPrefix(args[0], "v"))
	if err != nil {
		return fmt.Errorf("use %s: want a value, such as v1; `values` lists them", args[0])
	}
	return p.values.Use(n)
}

func undo(_ context.Context, p *Prompt, args []string) error {
	if len(args) > 0 {
		return errors.New("usage: undo; `use vN` goes to any value")
	}
	if !p.values.Undo() {
		return errors.New("there is nothing to go back to")
	}
	return nil
}

func save(_ context.Context, p *Prompt, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: save FILE")
	}
	f, err := os.OpenFile(args[0], os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: take another name", show.Quote(args[0]))
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(p.values.Script())
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	p.Say("wrote %s: inlay do -f %[1]s", show.Quote(args[0]))
	return nil
}

func help(_ context.Context, p *Prompt, args []string) error {
	if len(args) == 0 {
		var b strings.Builder
		b.WriteString("Each word makes a value, v1, v2 and so on, and the next line goes on from the last one.\n" +
			"Values are variables: `with-directory / $v1`. Words can stand in one line, with | between them.\n\n")
		for _, c := range p.commands() {
			fmt.Fprintf(&b, "  %-32s  %s\n", c.Usage(), c.Short)
		}
		p.write(b.String() + "\n")
		return p.Words(nil)
	}
	for _, c := range p.commands() {
		if c.Name == args[0] {
			p.Say("%s\n  %s", c.Usage(), c.Short)
			return nil
		}
	}
	return p.Words(args)
}
