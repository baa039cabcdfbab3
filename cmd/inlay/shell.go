package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/spf13/cobra"
)

const aboutShell = `Open a process in a tree, on a terminal of its own: the user's shell, or /bin/sh,
or what is named behind --. It sees what a process of with-exec would see there; in a
step of a run (last@failed, last@3) what the step's own process saw: its environment,
directory, user, mounts and secrets, which are read again. --user takes another user,
--secret env:TOKEN=file:./token another secret in the place of one that is gone, and
--without-secrets leaves them out.

The screen is not cleared, reset or switched. All that the process printed stays,
and a last line says how it ended. The exit code is the process' own; 127 if there
is no such program, 126 if it cannot be executed. When standard input or output is
no terminal, they are the process' own, and nothing is added to them.

What is changed in the tree is thrown away, and for a while the end of a session
says how to see it. --keep NAME makes it a name in the store, with the configuration
and the layers of SRC; with --replace also one that is there already. --with-shell shows a static busybox of this machine at ` + embedded.Lent + `,
which is not part of the tree, and puts it last in PATH: for a tree without a shell.

`

func (a *app) shellCommand() *cobra.Command {
	var v visit
	c := &cobra.Command{
		Use:   "shell [--keep NAME [--replace]] [--user USER] [--with-shell] SRC [-- CMD...]",
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
				return a.commandBare(args)
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
			if v.replace && v.keep == "" {
				return usageErrorf("--replace says what --keep NAME may do")
			}
			if v.unsecret && len(v.secrets) > 0 {
				return usageErrorf("--secret and --without-secrets exclude each other")
			}
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				v.session, v.src, v.args = s, args[0], args[1:]
				return v.enter(ctx)
			})
		},
	}
	c.Flags().StringVar(&v.keep, "keep", "", "name what is left, in the store")
	c.Flags().BoolVar(&v.replace, "replace", false, "with --keep: also a name that is there already")
	c.Flags().StringVar(&v.user, "user", "", "who the process is: USER[:GROUP], names or numbers")
	c.Flags().StringArrayVar(&v.secrets, "secret", nil, "NAME=SECRET: a secret in the place of that NAME of a step")
	c.Flags().BoolVar(&v.unsecret, "without-secrets", false, "do not show the secrets of a step")
	c.Flags().BoolVar(&v.lend, "with-shell", false, "show a static busybox of this machine beside the tree")
	platformFlag(c, &v.platform)
	c.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if args := cmd.Flags().Args(); len(args) > 1 && !slices.Contains(a.args, "--") {
			return a.commandBare(args) // whose flag it is
		}
		return cmd.Parent().FlagErrorFunc()(cmd, err)
	})
	return c
}

// commandBare is the error of a command line that has SRC and a command, without --
// between.
func (a *app) commandBare(args []string) error {
	src := slices.Index(a.args, args[0])
	at := src + 1 + slices.Index(a.args[src+1:], args[1])
	return usageErrorf("write -- before the command: inlay %s -- %s", quotes(a.args[:at]), quotes(a.args[at:]))
}

// quotes writes arguments as a shell reads them.
func quotes(args []string) string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = show.Quote(arg)
	}
	return strings.Join(out, " ")
}

// visit is one run of shell.
type visit struct {
	*session
	src, platform string
	args          []string
	keep          string
	replace       bool // what has the name already
	user          string
	secrets       []string // NAME=SECRET
	unsecret      bool     // show none
	lend          bool
	value         bool // it is one of a conversation
}

// enter opens the process in what SRC names.
func (v *visit) enter(ctx context.Context) error {
	if err := v.checkKeep(ctx); err != nil {
		return err
	}
	p, err := place(v.src)
	if err != nil {
		return err
	}
	if p.Scheme == engine.SchemeStep {
		return v.enterStep(ctx)
	}
	if v.unsecret || len(v.secrets) > 0 {
		return usageErrorf("%s is no step of a run: it has no secrets", v.src)
	}
	in, err := v.result(ctx, v.src, v.platform)
	if err != nil {
		return err
	}
	return v.stand(ctx, embedded.Session{In: in})
}

// checkKeep tells whether what is left can get its name, before there is anything to
// lose.
func (v *visit) checkKeep(ctx context.Context) error {
	if v.keep == "" || v.replace {
		return nil
	}
	_, err := v.embedded.Store().Ref(ctx, v.keep)
	switch {
	case err == nil:
		return fmt.Errorf("--keep %s: there is such a name already: take another one, or add --replace", show.Quote(v.keep))
	case errors.Is(err, store.ErrMissing):
		return nil
	}
	return err
}

// enterStep opens the process in what a step left, and as the step's own was run.
func (v *visit) enterStep(ctx context.Context) error {
	in, step, err := v.embedded.At(ctx, v.src)
	if err != nil {
		return err
	}
	if v.watched() {
		v.display.Pause()
		fmt.Fprintf(v.stderr, "%s: step %d, %s: %s\n", show.Quote(v.src), step.Number(), show.Line(step.Call), step.State)
	}
	v.tellLost(step)
	spec, err := v.secret(step.Spec)
	if err != nil {
		return err
	}
	return v.stand(ctx, embedded.Session{In: in, Spec: spec})
}

// secret gives what the step's process was run with, with other secrets.
func (v *visit) secret(spec *runs.Spec) (*runs.Spec, error) {
	if spec == nil || !v.unsecret && len(v.secrets) == 0 {
		return spec, nil
	}
	out := *spec
	out.Mounts = slices.Clone(spec.Mounts)
	if v.unsecret {
		out.Mounts = slices.DeleteFunc(out.Mounts, func(m runs.Mount) bool { return m.Kind == graph.MountSecret })
	}
	for _, s := range v.secrets {
		name, other, ok := strings.Cut(s, "=")
		if !ok || other == "" {
			return nil, usageErrorf("--secret %s: want NAME=SECRET, such as env:TOKEN=file:./token", show.Quote(s))
		}
		var all []string
		found := false
		for i, m := range out.Mounts {
			if m.Kind != graph.MountSecret {
				continue
			}
			all = append(all, show.Quote(spec.Mounts[i].Name))
			if spec.Mounts[i].Name == name {
				out.Mounts[i].Name, found = other, true
			}
		}
		if !found {
			return nil, usageErrorf("--secret %s: %s has no such secret: it has %s", show.Quote(s), show.Quote(v.src), cmp.Or(strings.Join(all, ", "), "none"))
		}
	}
	return &out, nil
}

// absent says of an error what helps against it.
func (v *visit) absent(err error) error {
	var user *embedded.UserError
	var secret *embedded.SecretError
	switch {
	case v.value && errors.As(err, &user):
		return fmt.Errorf("%w; `with-user root` makes another one of it", err)
	case v.value && errors.As(err, &secret):
		return fmt.Errorf("%w; `without-mount PATH` makes a value that needs none", err)
	case errors.As(err, &user):
		return fmt.Errorf("%w; `inlay shell --user root %s` is another one", err, show.Quote(v.src))
	case errors.As(err, &secret):
		return fmt.Errorf("%w; `inlay shell --secret %s %s` gives another one, --without-secrets none",
			err, show.Quote(secret.Name+"=SECRET"), show.Quote(v.src))
	}
	return err
}

// tellLost says it if what the step's process left is not there.
func (v *visit) tellLost(step *runs.Step) {
	if step.Lost() {
		v.display.Event(engine.Lost{Step: -1, Of: v.src})
	}
}

// watched tells whether a person is at both ends.
func (a *app) watched() bool {
	return embedded.Streams{Stdin: a.stdin, Stdout: a.stdout}.Terminal()
}

// stand opens the process where the session is, and says how it ended.
func (v *visit) stand(ctx context.Context, at embedded.Session) error {
	inside, signals, stop := v.interrupts.passing(ctx)
	v.display.Event(engine.TerminalOpened{Step: -1, Args: v.args})
	at.Args, at.Lend, at.Keep, at.User, at.Unwatched = v.args, v.lend, v.keep, v.user, !v.watched()
	at.Streams = embedded.Streams{Stdin: v.stdin, Stdout: v.stdout, Stderr: v.stderr, Signals: signals}
	left, err := v.embedded.Enter(inside, at)
	stop()
	v.display.Event(engine.TerminalClosed{Step: -1, Left: left})
	if err != nil {
		return v.absent(err)
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
		fmt.Fprintf(s.stderr, "inlay: no shell: %s\n", show.Line(err.Error()))
		return failed
	}
	s.display.Pause()
	fmt.Fprintf(s.stderr, "inlay: %s\n", show.Line(failed.Error()))
	v.tellLost(step)
	var exited exitError
	if err := v.stand(ctx, embedded.Session{In: in, Spec: step.Spec}); err != nil && !errors.As(err, &exited) {
		fmt.Fprintf(s.stderr, "inlay: no shell: %s\n", show.Line(err.Error()))
	}
	return failed
}
