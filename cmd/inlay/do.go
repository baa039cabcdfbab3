package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/inlaybuild/inlay/pipeline"
	"github.com/spf13/cobra"
)

const aboutDo = `Run a pipeline: words separated by |, each a step that makes a new file system of
the one before it, prints something of it, or writes it somewhere. Nothing that
was made before is made again.

Quoting, variables, comments and $(...) are the shell's, so put single quotes
around the pipeline. Patterns are not expanded. $(...) holds a pipeline, and
stands for the file system or file that it comes to, or for what it prints. In a
script (-f) each line is a pipeline or NAME=VALUE or NAME=$(pipeline); a line
that ends in | goes on in the next. A variable that is not set is an error;
write ${NAME:-default} for one that may be missing.

Where a word takes a file or a directory, write ./PATH or /PATH of this machine,
a SRC, or $(pipeline).

`

func (a *app) doCommand() *cobra.Command {
	var file string
	var onFailure string
	var words, overlay bool
	c := &cobra.Command{
		Use:   "do PIPELINE | do -f FILE | do --words [WORD...]",
		Short: "run a pipeline",
		Long:  aboutDo + sources + "\n\n" + wordList(),
		Example: `  inlay do 'from debian:12 | with-file /bin/tool ./tool | with-exec -- tool -V | export oci:out'
  inlay do 'from debian:12 | with-exec -- sh -c "cat /etc/*release" | stdout'
  inlay do 'from debian:12 | with-directory --existing forbid / ./rootfs | digest'
  inlay do 'scratch | with-file /init $(from busybox | file /bin/busybox) | export oci:out'
  inlay do -f build.inlay
  inlay do --words with-directory`,
		ValidArgsFunction: a.completePipeline,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case words:
				return nil
			case file != "":
				return arguments(0, 0)(cmd, args)
			case len(args) > 1:
				return usageErrorf("want one pipeline, and there are %d arguments: put single quotes around the whole of it", len(args))
			}
			return arguments(1, 1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if words {
				return a.describeWords(args)
			}
			text, err := a.script(file, args)
			if err != nil {
				return err
			}
			script, err := pipeline.Parse(file, text)
			if err != nil {
				return err
			}
			if err := a.checkOnFailure(onFailure); err != nil {
				return err
			}
			return a.with(cmd.Context(), text, func(ctx context.Context, s *session) error {
				err := script.Run(ctx, pipeline.Environment{
					Client: s.client, Events: s.display, Lookup: os.LookupEnv, Print: s.print, Overlay: overlay, Skip: s.recorded.Skip,
				})
				if err != nil && onFailure != "" {
					err = s.onFailure(ctx, err)
				}
				if err == nil {
					err = s.exportCache(ctx)
				}
				return err
			})
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "a script; - is standard input")
	c.Flags().BoolVar(&overlay, "overlay", false, "make copies overlays unless they say --no-overlay: they follow no symlinks")
	c.Flags().StringVar(&onFailure, "on-failure", "", "shell: open one in what a failed step left, as its process was run")
	_ = c.RegisterFlagCompletionFunc("on-failure", cobra.FixedCompletions([]string{"shell"}, cobra.ShellCompDirectiveNoFileComp))
	a.cacheFlags(c)
	c.Flags().BoolVar(&words, "words", false, "describe the words of the language")
	return a.jsonFlag(c)
}

// checkOnFailure looks at --on-failure before anything runs.
func (a *app) checkOnFailure(what string) error {
	switch {
	case what == "":
		return nil
	case what != "shell":
		return usageErrorf("--on-failure %s: want shell", what)
	case !a.watched():
		return usageErrorf("--on-failure shell needs a terminal as standard input and output; afterwards there is `inlay shell last@failed`")
	}
	return nil
}

// maxScript is the greatest size of a script.
const maxScript = 4 << 20

func (a *app) script(file string, args []string) (string, error) {
	if file == "" {
		return args[0], nil
	}
	in := a.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxScript+1))
	if err == nil && len(b) > maxScript {
		err = fmt.Errorf("%s: more than 4 MiB are too much for a script", file)
	}
	return string(b), err
}

// print writes what a word printed.
func (s *session) print(ctx context.Context, o pipeline.Output) error {
	switch o := o.(type) {
	case pipeline.Text:
		return s.text(o.Name, o.Text)
	case pipeline.Content:
		return s.content(ctx, o.Name, o.Size, false, o.Open)
	case pipeline.Names:
		return s.names(o.Names)
	case pipeline.Stat:
		return s.stat(o.Path, o.Entry)
	case pipeline.Listing:
		return s.tree(ctx, o.Path, o.Tree, 0)
	case pipeline.Changes:
		return s.diff(ctx, o.From, o.To, diffOptions{})
	case pipeline.Exported:
		s.display.Pause()
		switch {
		case s.json && !strings.HasSuffix(o.Place, ":-"):
			return s.writeJSON(exportedOf(o.Exported))
		case s.display.Output():
			fmt.Fprintf(s.stderr, "wrote %s\n", written(o.Exported))
		}
		return nil
	}
	return errors.New("this word printed what inlay cannot write")
}

// describeWords writes help of words, or of all of them.
func (a *app) describeWords(names []string) error {
	all := pipeline.Words()
	if a.json {
		return a.writeJSON(wordsJSON(all, names))
	}
	p := a.page()
	if len(names) == 0 {
		p.WriteString(wordList())
		return p.Flush()
	}
	for _, name := range names {
		found := false
		for _, w := range all {
			if w.Name == name {
				p.WriteString(describe(w))
				found = true
			}
		}
		if !found {
			return usageErrorf("unknown word %q; `inlay do --words` lists them all", name)
		}
	}
	return p.Flush()
}
