package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/cmd/inlay/internal/progress"
	"github.com/inlaybuild/inlay/cmd/inlay/internal/prompt"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/pipeline"
	"github.com/inlaybuild/inlay/tree"
)

// talks tells whether a conversation is possible.
func (a *app) talks() bool {
	return progress.IsTerminal(a.stdin) && progress.IsTerminal(a.stdout) && progress.IsTerminal(a.stderr)
}

// converse reads lines from the terminal and carries them out until the user ends it.
func (a *app) converse(ctx context.Context) error {
	a.interrupts.release()
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	a.prompting = true
	return a.with(ctx, "inlay", func(ctx context.Context, s *session) error {
		return prompt.Talk(ctx, prompt.Config{
			Stdin: a.stdin, Stdout: a.stdout, Stderr: a.stderr,
			Environment: pipeline.Environment{Client: s.client, Events: s.display, Lookup: os.LookupEnv, Print: s.print, Step: func(name string) string { return s.exactStep(ctx, name) }},
			Commands:    s.lookers(),
			Pause:       s.display.Pause,
			Report:      func(ctx context.Context, err error) { a.report(ctx, err) },
			Cancel:      func(by os.Signal) { cancel(stoppedBy(by)) },
			Words:       a.describeWords,
			Sources:     s.sourceNames, Runs: s.runNames, Places: schemes(),
		})
	})
}

// lookers gives the commands of a conversation that look at values and runs.
func (s *session) lookers() []prompt.Command {
	l := looker{s, inlay.NewClient(s.embedded.Look(), lookingOnly{s.display})}
	return []prompt.Command{
		{Name: "ls", Args: "[-l] [vN|STEP] [PATH]", Looks: true, Takes: prompt.Paths, Run: l.ls,
			Short: "list a directory"},
		{Name: "cat", Args: "[vN|STEP] PATH...", Looks: true, Takes: prompt.Paths, Run: l.cat,
			Short: "write what files hold"},
		{Name: "diff", Args: "[A [B]]", Looks: true, Takes: prompt.Values, Run: l.diff,
			Short: "what the last word changed; what changed from A, or from A to B: vN, STEP or SRC"},
		{Name: "steps", Args: "[RUN|STEP]", Looks: true, Takes: prompt.Runs, Run: l.steps,
			Short: "list what the words so far came to, as the steps of a run"},
		{Name: "explain", Args: "[RUN|STEP]", Looks: true, Takes: prompt.Runs, Run: l.explain,
			Short: "tell where they put things, and why there"},
		{Name: "log", Args: "[RUN|STEP]", Looks: true, Takes: prompt.Runs, Run: l.log,
			Short: "write what processes said"},
		{Name: "runs", Args: "", Looks: true, Takes: prompt.Nothing, Run: l.runs,
			Short: "list what was run; this conversation is last"},
		{Name: "shell", Args: "[vN|STEP] [--with-shell] [--keep NAME [--replace]] [-- CMD...]", Looks: true, Takes: prompt.Values, Run: l.shell,
			Short: "open a process in it, on the terminal; it sees what is mounted there"},
	}
}

// looker is a session as commands of a conversation look at it.
type looker struct {
	*session
	looks *inlay.Client // what it resolves is no step of the conversation
}

// lookingOnly shows how far things are that are no steps of the conversation.
type lookingOnly struct{ engine.Sink }

func (l lookingOnly) Event(e engine.Event) {
	if p, ok := e.(engine.Progress); ok {
		p.Step = -1
		l.Sink.Event(p)
	}
}

// last gives the run that is last: this conversation, once it has a step; "" when there
// is none.
func (s *session) last(ctx context.Context) string {
	if own := s.recorded.Name(); own != "" {
		return own
	}
	f, err := runs.Find(ctx, s.embedded.Store(), runs.Name{Run: runs.Last})
	if err != nil {
		return ""
	}
	return f.Run.Name
}

// exactly gives a name in which last is that run by name.
func (s *session) exactly(ctx context.Context, n runs.Name) runs.Name {
	if n.Run == runs.Last {
		n.Run = cmp.Or(s.last(ctx), n.Run)
	}
	return n
}

// exactStep gives the name of a step by its run and its number, so that it means the same
// later. That there is none is for somebody else to say.
func (s *session) exactStep(ctx context.Context, name string) string {
	n, err := runs.ParseName(name)
	if err != nil {
		return name
	}
	n = s.exactly(ctx, n)
	f, err := runs.Find(ctx, s.embedded.Store(), n)
	if err != nil {
		return n.String()
	}
	st, err := f.Made()
	if err != nil {
		return n.String()
	}
	return runs.Name{Run: f.Run.Name, Step: strconv.Itoa(st.Number())}.String()
}

// step tells whether an argument names a step, and gives the name.
func (l looker) step(ctx context.Context, arg string) (string, bool) {
	p, err := engine.ParsePlace(arg)
	if err != nil || p.Scheme != engine.SchemeStep {
		return "", false
	}
	n, err := runs.ParseName(arg)
	return l.exactly(ctx, n).String(), err == nil
}

// subject takes the name of a value or a step from the front of arguments; without
// one it is the current value.
func (l looker) subject(ctx context.Context, p *prompt.Prompt, args []string) (tree.Tree, []string, error) {
	if len(args) > 0 {
		if name, ok := l.step(ctx, args[0]); ok {
			r, _, err := l.embedded.At(ctx, name)
			return r.Tree, args[1:], err
		}
	}
	v, args, err := p.Value(args)
	if err == nil && v.Kind == "a change set" {
		err = fmt.Errorf("v%d is a change set, which has no paths: `changes` lists it", v.Number)
	}
	return v.Result.Tree, args, err
}

// sourceNames gives the names in the store.
func (s *session) sourceNames(ctx context.Context) []string {
	var out []string
	refs, err := s.embedded.Store().Refs(ctx)
	if err != nil {
		return nil
	}
	for _, r := range refs {
		out = append(out, r.Name)
	}
	return out
}

// runNames gives the names of runs, and of the steps of this one.
func (s *session) runNames(ctx context.Context) []string {
	out := []string{runs.Last, runs.Last + "@" + runs.FailedStep}
	if own := s.recorded.Name(); own != "" {
		f, err := runs.Find(ctx, s.embedded.Store(), runs.Name{Run: own})
		if err != nil {
			return out
		}
		for _, st := range f.Steps {
			out = append(out, runs.Last+"@"+strconv.Itoa(st.Number()))
		}
	}
	list, err := s.embedded.Store().Runs(ctx)
	if err != nil {
		return out
	}
	for _, r := range list {
		out = append(out, r.Name)
	}
	return out
}

func (l looker) ls(ctx context.Context, p *prompt.Prompt, args []string) error {
	list := lister{session: l.session}
	if len(args) > 0 && args[0] == "-l" {
		list.long, args = true, args[1:]
	}
	t, args, err := l.subject(ctx, p, args)
	if err != nil {
		return err
	}
	if len(args) > 1 || len(args) == 1 && strings.HasPrefix(args[0], "-") {
		return usageErrorf("usage: ls [-l] [vN|STEP] [PATH]")
	}
	path := "/"
	if len(args) == 1 {
		path = args[0]
	}
	follow := tree.FollowAll
	if list.long {
		follow = tree.FollowParents
	}
	e, err := entryAt(ctx, t, path, follow)
	if err != nil {
		return err
	}
	return list.show(ctx, path, e)
}

func (l looker) cat(ctx context.Context, p *prompt.Prompt, args []string) error {
	t, args, err := l.subject(ctx, p, args)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return usageErrorf("usage: cat [vN|STEP] PATH...")
	}
	for _, path := range args {
		if err := l.session.cat(ctx, t, path, false); err != nil {
			return err
		}
	}
	return nil
}

// side gives the tree of an argument of diff.
func (l looker) side(ctx context.Context, p *prompt.Prompt, arg string) (tree.Tree, error) {
	if prompt.IsValue(arg) {
		v, _, err := p.Value([]string{arg})
		return v.Result.Tree, err
	}
	var r engine.Result
	var err error
	if name, ok := l.step(ctx, arg); ok {
		r, _, err = l.embedded.At(ctx, name)
	} else {
		looks := *l.session
		looks.client = l.looks
		r, err = looks.result(ctx, arg, "")
	}
	if err == nil {
		r, err = r.Known(ctx)
	}
	return r.Tree, err
}

func (l looker) diff(ctx context.Context, p *prompt.Prompt, args []string) error {
	now, _, err := p.Value(nil)
	if err != nil {
		return err
	}
	from, to := tree.Empty(), now.Result.Tree
	switch len(args) {
	case 0:
		if v, ok := p.Before(now); ok {
			from = v.Result.Tree
		}
	case 1, 2:
		if from, err = l.side(ctx, p, args[0]); err != nil {
			return err
		}
		if len(args) == 2 {
			to, err = l.side(ctx, p, args[1])
		}
	default:
		return usageErrorf("usage: diff [A [B]]")
	}
	if err != nil {
		return err
	}
	return l.session.diff(ctx, from, to, diffOptions{})
}

func (l looker) shell(ctx context.Context, p *prompt.Prompt, args []string) error {
	visitor := visit{session: l.session}
	var v pipeline.Value
	var err error
	step := false
	if len(args) > 0 {
		visitor.src, step = l.step(ctx, args[0])
	}
	if step {
		args = args[1:]
	} else if v, args, err = p.Value(args); err != nil {
		return err
	}
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
	if step {
		err = visitor.enterStep(ctx)
	} else {
		err = l.enterValue(ctx, visitor, v)
	}
	var exited exitError
	if errors.As(err, &exited) {
		return nil // which it has said
	}
	return err
}

// enterValue opens the process in a value, with what is mounted there.
func (l looker) enterValue(ctx context.Context, visitor visit, v pipeline.Value) error {
	if v.Kind == "a change set" {
		return fmt.Errorf("v%d is a change set: there is nothing to stand in", v.Number)
	}
	visitor.src, visitor.value = v.Result.Tree.Digest().String(), true
	mounts, nodes := v.Mounts()
	at := embedded.Session{In: v.Result, Mounts: mounts}
	for _, n := range nodes {
		r, err := l.looks.Resolve(ctx, n)
		if err != nil {
			return err
		}
		at.Shown = append(at.Shown, r)
	}
	return visitor.stand(ctx, at)
}

// named reads the one argument of a command, which may be left out: a run or a step.
func (l looker) named(ctx context.Context, args []string, usage string) (runs.Name, error) {
	if len(args) > 1 || len(args) == 1 && strings.HasPrefix(args[0], "-") {
		return runs.Name{}, usageErrorf("usage: %s", usage)
	}
	if len(args) == 1 && prompt.IsValue(args[0]) {
		return runs.Name{}, usageErrorf("%s is a value: want a run or a step of one, which `steps` lists", args[0])
	}
	n, err := runs.ParseName(strings.Join(args, ""))
	if err != nil {
		return n, usageError{err}
	}
	return l.exactly(ctx, n), nil
}

func (l looker) runs(ctx context.Context, p *prompt.Prompt, args []string) error {
	if len(args) > 0 {
		return usageErrorf("usage: runs; `inlay runs` has options")
	}
	list, err := runs.List(ctx, l.embedded.Store(), 20)
	if err != nil {
		return err
	}
	return l.session.runs(list)
}

func (l looker) steps(ctx context.Context, p *prompt.Prompt, args []string) error {
	n, err := l.named(ctx, args, "steps [RUN|STEP]")
	if err != nil {
		return err
	}
	found, err := runs.Find(ctx, l.embedded.Store(), n)
	if err != nil {
		return err
	}
	return l.session.steps(found)
}

func (l looker) log(ctx context.Context, p *prompt.Prompt, args []string) error {
	n, err := l.named(ctx, args, "log [RUN|STEP]; `inlay log` has options")
	if err != nil {
		return err
	}
	f := follower{session: l.session}
	return f.write(ctx, n)
}

func (l looker) explain(ctx context.Context, p *prompt.Prompt, args []string) error {
	n, err := l.named(ctx, args, "explain [RUN|STEP]; `inlay explain` has options")
	if err != nil {
		return err
	}
	e, err := l.embedded.Explain(ctx, n)
	if err != nil {
		return err
	}
	return l.session.explain(e, false)
}
