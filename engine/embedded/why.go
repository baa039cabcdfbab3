package embedded

import (
	"context"
	"fmt"
	"strings"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/program"
	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/tree"
)

// explain finds in the tree why a process did not start. What cannot be found out
// leaves the words of the kernel as they are.
func (x *exec) explain(ctx context.Context, p runtime.Process, start *runtime.StartError, fail *engine.ExecError) {
	var w *program.Why
	var err error
	switch v := x.view(ctx); start.Stage {
	case runtime.StageProgram:
		w, err = program.Explain(ctx, v, x.asked(p), start.Err)
	case runtime.StageDirectory:
		w, err = program.ExplainDirectory(ctx, v, x.asked(p))
	}
	if err != nil || w == nil {
		return
	}
	if start.Stage == runtime.StageProgram {
		fail.ExitCode = w.Code()
	}
	fail.Why = x.tell(ctx, w)
	fail.Reason = fail.Why.Text
}

// explainMissing says why a process ended with the code of a program that is not
// found, if it is a script that has env(1) look for its interpreter.
func (x *exec) explainMissing(ctx context.Context, p runtime.Process, fail *engine.ExecError) {
	if fail.ExitCode != 127 {
		return
	}
	if w, err := program.Asks(ctx, x.view(ctx), x.asked(p)); err == nil && w != nil {
		fail.Why = x.tell(ctx, w)
	}
}

// tell adds the step of the run that made it so.
func (x *exec) tell(ctx context.Context, w *program.Why) *engine.Why {
	out := &engine.Why{Cause: string(w.Cause), Role: string(w.Role), Path: w.Path, At: w.At, Text: w.Text}
	b, err := x.blame(ctx, w)
	if err != nil {
		b = blame{}
	}
	hint := w.Hint
	if b.text != "" {
		out.Step = b.call
		between := ": "
		if strings.Contains(out.Text, between) {
			between = "; "
		}
		out.Text += between + b.text
	}
	if b.hint != "" || b.text != "" && w.Role == program.Loader {
		hint = b.hint
	}
	if hint != "" {
		out.Text += "; " + hint
	}
	return out
}

func (x *exec) asked(p runtime.Process) program.Process {
	return program.Process{
		Name: p.Args[0], Path: lookupEnv(p.Env, "PATH"), Dir: p.Dir,
		UID: p.User.UID, Groups: append([]uint32{p.User.GID}, p.User.Groups...),
	}
}

// view gives what the process saw.
func (x *exec) view(ctx context.Context) program.View {
	v := program.View{Root: x.in[0].Tree, Contents: x.engine()}
	for _, at := range []string{"/proc", "/dev", "/sys"} {
		v.Mounts = append(v.Mounts, program.Mount{Target: at, What: "the kernel's"})
	}
	for _, m := range x.op.Mounts {
		shown := program.Mount{Target: m.Target}
		switch m.Kind {
		case graph.MountTree:
			shown.What = "a directory or a file"
			if m.Input > 0 && m.Input < len(x.in) {
				r, err := tree.Resolve(ctx, x.in[m.Input].Tree, m.Path, tree.FollowAll)
				if err == nil {
					shown.Entry = r.Entry
				}
			}
		case graph.MountTemp:
			shown.What = "an empty directory in memory"
			shown.Entry = tree.Empty().With(tree.Attr{Mode: 0o1777})
		case graph.MountCache:
			shown.What = fmt.Sprintf("the cache %q", m.Name)
		case graph.MountSecret:
			shown.What = "a secret"
		}
		v.Mounts = append(v.Mounts, shown)
	}
	return v
}
