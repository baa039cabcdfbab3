package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/spf13/cobra"
)

const aboutShell = `Open a process in a tree, on a terminal of its own: the user's shell, or /bin/sh,
or what is named behind --. It sees what a process of with-exec would see there; in a
step of a run (last@failed, last@3) what the step's own process saw: its environment,
directory, user, mounts and secrets, which are read again.

The screen is not cleared, reset or switched. All that the process printed stays,
and a last line says how it ended. The exit code is the process' own; 127 if there
is no such program, 126 if it cannot be executed. When standard input or output is
no terminal, they are the process' own, and nothing is added to them.

What is changed in the tree is thrown away, and for a while the end of a session
says how to see it. --keep NAME makes it a name in the store, with the configuration
and the layers of SRC. --with-shell shows a static busybox of this machine at ` + embedded.Lent + `,
which is not part of the tree, and puts it last in PATH: for a tree without a shell.

`

func (a *app) shellCommand() *cobra.Command {
	var v visit
	c := &cobra.Command{
		Use:   "shell [--keep NAME] [--with-shell] SRC [-- CMD...]",
		Short: "open a process in a tree, on the terminal",
		Long:  aboutShell + sources,
		Example: `  inlay shell debian:12
  inlay shell --keep patched debian:12
  inlay shell last@failed
  inlay shell oci:out -- top
  inlay shell --with-shell oci:distroless
  echo 'dpkg -l | wc -l' | inlay shell debian:12`,
		Args: func(cmd *cobra.Command, args []string) error {
			if n := cmd.ArgsLenAtDash(); n < 0 && len(args) > 1 || n > 1 {
				return usageErrorf("write -- before the command: inlay shell %s -- %s", show.Quote(args[0]), show.Quote(args[1]))
			} else if n == 0 {
				return usageErrorf("an argument is missing; usage: inlay %s", cmd.Use)
			}
			return sourced(1, 1, -1)(cmd, args)
		},
		ValidArgsFunction: a.completeSources(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if v.keep != "" {
				if err := embedded.CheckName(v.keep); err != nil {
					return usageError{err}
				}
			}
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				v.session, v.src, v.args = s, args[0], args[1:]
				return v.enter(ctx)
			})
		},
	}
	c.Flags().StringVar(&v.keep, "keep", "", "name what is left, in the store")
	c.Flags().BoolVar(&v.lend, "with-shell", false, "show a static busybox of this machine beside the tree")
	platformFlag(c, &v.platform)
	return c
}

// visit is one run of shell.
type visit struct {
	*session
	src, platform string
	args          []string
	keep          string
	lend          bool
}

// enter opens the process in what SRC names.
func (v *visit) enter(ctx context.Context) error {
	p, err := place(v.src)
	if err != nil {
		return err
	}
	if p.Scheme == engine.SchemeStep {
		return v.enterStep(ctx)
	}
	in, err := v.result(ctx, v.src, v.platform)
	if err != nil {
		return err
	}
	return v.stand(ctx, in, nil)
}

// enterStep opens the process in what a step left, and as the step's own was run.
func (v *visit) enterStep(ctx context.Context) error {
	in, step, err := v.embedded.At(ctx, v.src)
	if err != nil {
		return err
	}
	if v.watched() {
		v.display.Pause()
		fmt.Fprintf(v.stderr, "%s: step %d, %s: %s\n", show.Quote(v.src), step.Number(), cleanLine(step.Call), step.State)
	}
	return v.stand(ctx, in, step.Spec)
}

// watched tells whether a person is at both ends.
func (a *app) watched() bool {
	return embedded.Streams{Stdin: a.stdin, Stdout: a.stdout}.Terminal()
}

// stand opens the process in a tree, and says how it ended.
func (v *visit) stand(ctx context.Context, in engine.Result, spec *runs.Spec) error {
	inside, signals, stop := v.interrupts.passing(ctx)
	v.display.Event(engine.TerminalOpened{Step: -1, Args: v.args})
	left, err := v.embedded.Enter(inside, embedded.Session{
		In: in, Spec: spec, Args: v.args, Lend: v.lend, Keep: v.keep, Unwatched: !v.watched(),
		Streams: embedded.Streams{Stdin: v.stdin, Stdout: v.stdout, Stderr: v.stderr, Signals: signals},
	})
	stop()
	v.display.Event(engine.TerminalClosed{Step: -1, Left: left})
	if err != nil {
		return err
	}
	v.say(left)
	if left.ExitCode == 0 {
		return nil
	}
	return exitError(left.ExitCode)
}

// say tells what a session left, and in a last line how it ended. Who is not
// watched is told only of what went wrong.
func (v *visit) say(left engine.Left) {
	v.display.Pause()
	watched := v.watched()
	src := show.Quote(v.src)
	switch {
	case v.keep != "" && watched:
		fmt.Fprintf(v.stderr, "%s changed, kept as %s: inlay diff %s %[2]s\n", show.Plural(left.Changed, "path"), show.Quote(v.keep), src)
	case left.Changed > 0 && watched && left.Away:
		fmt.Fprintf(v.stderr, "%s changed, and not kept, as --keep NAME would have done\n", show.Plural(left.Changed, "path"))
	case left.Changed > 0 && watched:
		fmt.Fprintf(v.stderr, "%s changed, and not kept, as --keep NAME would have done. Until `inlay gc`:\n    inlay diff %s %s\n",
			show.Plural(left.Changed, "path"), src, left.Tree.Digest())
	}
	if left.Failed != nil && left.Failed.Reason != "" && len(v.args) == 0 && !v.lend {
		fmt.Fprintf(v.stderr, "`inlay shell --with-shell %s` lends a shell\n", src)
	}
	if watched || left.ExitCode != 0 {
		fmt.Fprintf(v.stderr, "inlay: %s\n", show.Clean(left.Outcome(), false))
	}
}

// onFailure opens a shell in what the step left that made a run fail. It gives the
// error of that, whatever happened in the shell.
func (s *session) onFailure(ctx context.Context, failed error) error {
	name := s.recorded.Name()
	if name == "" || ctx.Err() != nil {
		return failed
	}
	v := visit{session: s, src: name + "@" + runs.FailedStep}
	in, step, err := s.embedded.At(ctx, v.src)
	if err != nil {
		s.display.Pause()
		fmt.Fprintf(s.stderr, "inlay: no shell: %s\n", cleanLine(err.Error()))
		return failed
	}
	s.display.Pause()
	fmt.Fprintf(s.stderr, "inlay: %s\n", cleanLine(failed.Error()))
	var exited exitError
	if err := v.stand(ctx, in, step.Spec); err != nil && !errors.As(err, &exited) {
		fmt.Fprintf(s.stderr, "inlay: no shell: %s\n", cleanLine(err.Error()))
	}
	return failed
}
