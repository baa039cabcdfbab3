package main

import (
	"context"
	"strings"

	"github.com/inlaybuild/inlay/pipeline"
	"github.com/spf13/cobra"
)

// schemes is what a SRC may start with.
func schemes() []string {
	return []string{"oci:", "oci-archive:", "docker-archive:", "tar:", "dir:", "scratch", "last", "last@failed"}
}

// stored gives the names in the store; none if it cannot be read.
func (a *app) stored(ctx context.Context) []string {
	a.progress = "quiet"
	var names []string
	_ = a.with(ctx, "", func(ctx context.Context, s *session) error {
		refs, err := s.embedded.Store().Refs(ctx)
		for _, r := range refs {
			names = append(names, r.Name)
		}
		return err
	})
	return names
}

// completeNames completes names in the store.
func (a *app) completeNames(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.stored(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
}

// completeSources completes the first n arguments as SRC, and others as files.
func (a *app) completeSources(n int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= n || strings.HasPrefix(typed, ".") || strings.HasPrefix(typed, "/") {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return append(a.stored(cmd.Context()), schemes()...), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
}

// completePipeline completes the last word of a pipeline that is being typed.
func (a *app) completePipeline(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	if len(args) > 0 {
		return nil, none
	}
	start := strings.LastIndexAny(typed, "|(\n") + 1
	first := start == 0 || typed[start-1] != '|'
	rest := typed[start:]
	word := strings.TrimLeft(rest, " ")
	before := typed[:start+len(rest)-len(word)]
	name, tail, more := strings.Cut(word, " ")
	var out []cobra.Completion
	if !more {
		for _, w := range pipeline.Words() {
			if strings.HasPrefix(w.Name, word) && (w.Group == pipeline.Sources) == first {
				out = append(out, before+w.Name+"\t"+w.Short)
			}
		}
		return out, none
	}
	last := tail[strings.LastIndexByte(tail, ' ')+1:]
	before = typed[:len(typed)-len(last)]
	for _, w := range pipeline.Words() {
		if w.Name != name {
			continue
		}
		for _, f := range w.Flags {
			if strings.HasPrefix("--"+f.Name, last) && last != "" {
				out = append(out, before+"--"+f.Name+"\t"+f.Help)
			}
		}
	}
	if name == "from" {
		for _, s := range append(a.stored(cmd.Context()), schemes()...) {
			if strings.HasPrefix(s, last) {
				out = append(out, before+s)
			}
		}
	}
	return out, none
}
