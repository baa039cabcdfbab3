package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/pipeline"
	"github.com/inlaybuild/inlay/tree"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// promptCommand is something that a line can say beside pipelines.
type promptCommand struct {
	name, args, short string
	looks             bool // it is noted in the script, as a comment
	run               func(p *prompt, ctx context.Context, args []string) error
}

// usage gives the command with its arguments.
func (c promptCommand) usage() string { return strings.TrimSpace(c.name + " " + c.args) }

// promptCommands gives all commands, in the order that help has them.
func promptCommands() []promptCommand {
	return []promptCommand{
		{"ls", "[-l] [vN] [PATH]", "list a directory", true, (*prompt).ls},
		{"cat", "[vN] PATH...", "write what files hold", true, (*prompt).cat},
		{"diff", "[A [B]]", "what the last word changed; what changed from A, or from A to B: vN or SRC", true, (*prompt).diff},
		{"steps", "[RUN|STEP]", "list what the words so far came to, as the steps of a run", true, (*prompt).steps},
		{"explain", "[RUN|STEP]", "tell where they put things, and why there", true, (*prompt).explain},
		{"log", "[RUN|STEP]", "write what processes said", true, (*prompt).log},
		{"runs", "", "list what was run; this conversation is last", true, (*prompt).runs},
		{"shell", "[vN] [--with-shell] [--keep NAME [--replace]] [-- CMD...]", "open a process in it, on the terminal", true, (*prompt).shell},
		{"values", "", "list all values so far", false, (*prompt).list},
		{"use", "vN", "go on from another value", false, (*prompt).use},
		{"undo", "", "go back to the value before; none is lost", false, (*prompt).undo},
		{"save", "FILE", "write what was done as a script, for `inlay do -f FILE`", false, (*prompt).save},
		{"help", "[WORD]", "tell what there is, or of one word", false, (*prompt).help},
		{"exit", "", "end", false, func(*prompt, context.Context, []string) error { return errEnd }},
	}
}

// command finds the command that a line is, with its arguments. A line with a | or
// a $(...) is a pipeline.
func (p *prompt) command(line string) (promptCommand, []string, bool) {
	file, err := syntax.NewParser().Parse(strings.NewReader(line), "")
	if err != nil || len(file.Stmts) != 1 || len(file.Stmts[0].Redirs) > 0 || file.Stmts[0].Background || file.Stmts[0].Negated {
		return promptCommand{}, nil, false
	}
	call, ok := file.Stmts[0].Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 || len(call.Assigns) > 0 {
		return promptCommand{}, nil, false
	}
	args, err := expand.Fields(&expand.Config{Env: expand.FuncEnviron(variable)}, call.Args...)
	if err != nil || len(args) == 0 { // as with $(...)
		return promptCommand{}, nil, false
	}
	if args[0] == "quit" {
		args[0] = "exit"
	}
	for _, c := range promptCommands() {
		if c.name == args[0] {
			return c, args[1:], true
		}
	}
	return promptCommand{}, nil, false
}

// variable gives what a variable stands for in a command: a value, for its name.
func variable(name string) string {
	if isValue.MatchString(name) {
		return name
	}
	return os.Getenv(name)
}

var isValue = regexp.MustCompile(`^v[0-9]+$`)

// value takes the name of a value from the front of arguments; without one it is
// the current.
func (p *prompt) value(args []string) (pipeline.Value, []string, error) {
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

func (p *prompt) ls(ctx context.Context, args []string) error {
	l := lister{session: p.session}
	if len(args) > 0 && args[0] == "-l" {
		l.long, args = true, args[1:]
	}
	v, args, err := p.value(args)
	if err != nil {
		return err
	}
	if len(args) > 1 || len(args) == 1 && strings.HasPrefix(args[0], "-") {
		return usageErrorf("usage: ls [-l] [vN] [PATH]")
	}
	path := "/"
	if len(args) == 1 {
		path = args[0]
	}
	follow := tree.FollowAll
	if l.long {
		follow = tree.FollowParents
	}
	e, err := p.at(ctx, v, path, follow)
	if err != nil {
		return err
	}
	return l.show(ctx, path, e)
}

func (p *prompt) cat(ctx context.Context, args []string) error {
	v, args, err := p.value(args)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return usageErrorf("usage: cat [vN] PATH...")
	}
	for _, path := range args {
		if _, err := p.at(ctx, v, path, tree.FollowAll); err != nil {
			return err
		}
		if err := p.session.cat(ctx, v.Result.Tree, path, false); err != nil {
			return err
		}
	}
	return nil
}

// side gives the tree of an argument of diff.
func (p *prompt) side(ctx context.Context, arg string) (tree.Tree, error) {
	if !isValue.MatchString(arg) {
		r, err := p.result(ctx, arg, "")
		return r.Tree, err
	}
	v, _, err := p.value([]string{arg})
	return v.Result.Tree, err
}

func (p *prompt) diff(ctx context.Context, args []string) error {
	now, _, err := p.value(nil)
	if err != nil {
		return err
	}
	from, to := tree.Empty(), now.Result.Tree
	switch len(args) {
	case 0:
		if v, err := p.values.Value(now.From); err == nil {
			from = v.Result.Tree
		}
	case 1, 2:
		if from, err = p.side(ctx, args[0]); err != nil {
			return err
		}
		if len(args) == 2 {
			to, err = p.side(ctx, args[1])
		}
	default:
		return usageErrorf("usage: diff [A [B]]")
	}
	if err != nil {
		return err
	}
	return p.session.diff(ctx, from, to, diffOptions{})
}

func (p *prompt) shell(ctx context.Context, args []string) error {
	v, args, err := p.value(args)
	if err != nil {
		return err
	}
	visitor := visit{session: p.session, src: v.Result.Tree.Digest().String()}
	if len(args) > 0 && args[0] == "--with-shell" {
		visitor.lend, args = true, args[1:]
	}
	if len(args) > 1 && args[0] == "--keep" {
		if err := embedded.CheckName(args[1]); err != nil {
			return err
		}
		visitor.keep, args = args[1], args[2:]
		if len(args) > 0 && args[0] == "--replace" {
			visitor.replace, args = true, args[1:]
		}
		if err := visitor.checkKeep(ctx); err != nil {
			return err
		}
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	visitor.args = args
	err = visitor.stand(ctx, v.Result, nil)
	var exited exitError
	if errors.As(err, &exited) {
		return nil // which it has said
	}
	return err
}

func (p *prompt) list(context.Context, []string) error {
	now, _ := p.values.Current()
	page := p.page()
	for _, v := range p.values.Values() {
		mark, from := " ", ""
		if v.Number == now.Number {
			mark = "*"
		}
		if v.From > 0 {
			from = fmt.Sprintf("v%d | ", v.From)
		}
		page.printf("%s v%-3d %s%s\n", mark, v.Number, from, cleanLine(v.Word))
	}
	return page.Flush()
}

func (p *prompt) use(_ context.Context, args []string) error {
	if len(args) != 1 {
		return usageErrorf("usage: use vN")
	}
	n, err := strconv.Atoi(strings.TrimPrefix(args[0], "v"))
	if err != nil {
		return usageErrorf("use %s: want a value, such as v1; `values` lists them", args[0])
	}
	return p.values.Use(n)
}

func (p *prompt) undo(_ context.Context, args []string) error {
	if len(args) > 0 {
		return usageErrorf("usage: undo; `use vN` goes to any value")
	}
	if !p.values.Undo() {
		return errors.New("there is nothing to go back to")
	}
	return nil
}

func (p *prompt) save(_ context.Context, args []string) error {
	if len(args) != 1 {
		return usageErrorf("usage: save FILE")
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
	p.say("wrote %s: inlay do -f %[1]s", show.Quote(args[0]))
	return nil
}

func (p *prompt) help(_ context.Context, args []string) error {
	if len(args) == 0 {
		page := p.page()
		page.WriteString("Each word makes a value, v1, v2 and so on, and the next line goes on from the last one.\n" +
			"Values are variables: `with-directory / $v1`. Words can stand in one line, with | between them.\n\n")
		for _, c := range promptCommands() {
			page.printf("  %-32s  %s\n", c.usage(), c.short)
		}
		page.WriteString("\n" + wordList())
		return page.Flush()
	}
	for _, c := range promptCommands() {
		if c.name == args[0] {
			p.say("%s\n  %s", c.usage(), c.short)
			return nil
		}
	}
	return p.describeWords(args)
}
