package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/progress"
	"github.com/spf13/cobra"
)

// run carries out a command line and gives the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	a.args = findStyle(args)
	root := a.root()
	root.SetArgs(a.args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	return a.report(ctx, root.ExecuteContext(ctx))
}

const about = `Inlay composes container file systems.

Putting files into an image never breaks what is there: what is copied to /bin
of a distribution whose /bin is a symlink goes to /usr/bin, and /bin stays.
No daemon, and no root but for running processes.

Without a command, on a terminal, it opens a prompt: see "help" there.`

// root makes the tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "inlay",
		Short: "compose container file systems",
		Long:  about,
		Example: `  inlay import oci:./debian debian:12
  inlay ls -l debian:12 /bin
  inlay do 'from debian:12 | with-file /bin/tool ./tool | with-exec -- tool --version | stdout'
  inlay do 'from debian:12 | with-directory / ./rootfs | export oci:out | digest'
  inlay diff debian:12 oci:out`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			text := fmt.Sprintf("unknown command %q", args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				text += fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
			}
			return usageErrorf("%s (`inlay help` lists them)", text)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !a.talks() {
				return cmd.Help()
			}
			return a.converse(cmd.Context())
		},
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
	}
	f := root.PersistentFlags()
	f.StringVar(&a.store, "store", "", "directory of the store ($INLAY_STORE; else $XDG_DATA_HOME/inlay, /var/lib/inlay for root)")
	f.StringVar(&a.engine, "engine", "", "where processes run: embedded, which is this machine, or buildkit://ADDRESS[,ADDRESS...] ($INLAY_ENGINE; else embedded)")
	f.StringVar(&a.progress, "progress", "auto", "how to show what goes on: auto, tty, plain, json or quiet")
	f.StringVar(&a.maxBytes, "max-bytes", "", "the most that a layer may unpack to, such as 500G (default 256G)")
	f.Int64Var(&a.maxEntries, "max-entries", 0, "the most entries that a layer may have (default 4000000)")
	f.Int64Var(&a.limits.MaxDepth, "max-depth", 0, "the most names in a path of a layer (default 1024)")
	f.Int64Var(&a.limits.MaxHoles, "max-hole-bytes", 0, "the most bytes of holes in a layer's sparse files (default 16 GiB)")
	f.Int64Var(&a.limits.MaxMeta, "max-metadata-bytes", 0, "the most bytes of names and attributes of a layer (default 512 MiB)")
	_ = root.RegisterFlagCompletionFunc("progress", cobra.FixedCompletions(progress.Modes(), cobra.ShellCompDirectiveNoFileComp))
	_ = root.RegisterFlagCompletionFunc("engine", cobra.FixedCompletions([]string{"embedded"}, cobra.ShellCompDirectiveNoFileComp))
	_ = root.MarkPersistentFlagDirname("store")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageErrorf("%w (see `%s --help`)", err, cmd.CommandPath())
	})
	root.AddGroup(
		&cobra.Group{ID: "make", Title: "Make:"},
		&cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "runs", Title: "Runs:"},
		&cobra.Group{ID: "store", Title: "Store:"},
	)
	a.add(root, "make", a.doCommand(), a.importCommand(), a.exportCommand(), a.pullCommand(), a.pushCommand())
	a.add(root, "look", a.lsCommand(), a.catCommand(), a.statCommand(), a.treeCommand(), a.findCommand(), a.diffCommand(), a.digestCommand())
	a.add(root, "runs", a.runsCommand(), a.stepsCommand(), a.logCommand(), a.explainCommand(), a.shellCommand())
	a.add(root, "store", a.imagesCommand(), a.rmiCommand(), a.gcCommand(), a.duCommand(), a.fsckCommand(), a.versionCommand())
	helpers(root)
	return root
}

// helpers makes cobra's own commands refuse what they do not know.
func helpers(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = func(_ *cobra.Command, args []string) error {
				if found, _, err := root.Find(args); err != nil || found == root && len(args) > 0 {
					return usageErrorf("no help for %q (`inlay help` lists what there is help for)", strings.Join(args, " "))
				}
				return nil
			}
		case "completion":
			c.Args = func(_ *cobra.Command, args []string) error {
				if len(args) > 0 {
					return usageErrorf("unknown shell %q: want bash, zsh or fish", args[0])
				}
				return nil
			}
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
}

func (a *app) add(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, c := range commands {
		c.GroupID = group
		c.DisableFlagsInUseLine = true
		root.AddCommand(c)
	}
}

// arguments checks the number of arguments; errors show what is wanted.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		what := ""
		switch {
		case len(args) < least:
			what = "an argument is missing"
		case most >= 0 && len(args) > most:
			what = fmt.Sprintf("one argument too many: %q", args[most])
		default:
			return nil
		}
		return usageErrorf("%s; usage: inlay %s", what, cmd.Use)
	}
}

// sourced checks the number of arguments, and that the first n can be a SRC.
func sourced(n, least, most int) cobra.PositionalArgs {
	count := arguments(least, most)
	return func(cmd *cobra.Command, args []string) error {
		if err := count(cmd, args); err != nil {
			return err
		}
		for _, src := range args[:n] {
			if _, err := place(src); err != nil {
				return err
			}
		}
		return nil
	}
}

// jsonFlag gives a command the flag --json.
func (a *app) jsonFlag(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&a.json, "json", false, "write JSON")
	return c
}
