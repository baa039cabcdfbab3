package main

import (
	"context"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/spf13/cobra"
)

func (a *app) fsckCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use:   "fsck",
		Short: "verify the store",
		Long: "Read every blob and node, verify its digest and follow every reference. What is damaged\n" +
			"is named, set aside, and counts as missing from then on: importing or making it again\n" +
			"heals. The exit code is 1 if something was found. Other commands can work meanwhile.",
		Example: `  inlay fsck
  inlay fsck --json | jq '.problems | length'`,
		Args:              arguments(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error { return s.fsck(ctx) })
		},
	})
}

func (s *session) fsck(ctx context.Context) error {
	s.working("verify")
	r, err := s.embedded.Store().Fsck(ctx)
	if err != nil {
		return err
	}
	type problem struct {
		Kind   string `json:"kind"`
		Digest string `json:"digest,omitempty"`
		Name   string `json:"name,omitempty"`
		Text   string `json:"text"`
	}
	if s.json {
		problems := []problem{}
		for _, p := range r.Problems {
			one := problem{Kind: string(p.Kind), Name: p.Name, Text: p.Text}
			if !p.Digest.IsZero() {
				one.Digest = p.Digest.String()
			}
			problems = append(problems, one)
		}
		err = s.writeJSON(map[string]any{
			"blobs": r.Blobs.Number, "blobBytes": r.Blobs.Bytes, "nodes": r.Nodes.Number, "nodeBytes": r.Nodes.Bytes, "problems": problems,
		})
	} else {
		p := s.page()
		for _, problem := range r.Problems {
			p.printf("%s\n", show.Clean(problem.String(), false))
		}
		p.printf("%s (%s) and %s verified: ", show.Plural(int64(r.Blobs.Number), "blob"), show.Size(r.Blobs.Bytes), show.Plural(int64(r.Nodes.Number), "node"))
		if len(r.Problems) == 0 {
			p.printf("no problems\n")
		} else {
			p.printf("%s\n", show.Plural(int64(len(r.Problems)), "problem"))
		}
		err = p.Flush()
	}
	if err == nil && len(r.Problems) > 0 {
		err = errQuiet
	}
	return err
}
