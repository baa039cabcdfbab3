package main

import (
	"context"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/spf13/cobra"
)

func (a *app) imagesCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use:   "images",
		Short: "list the names in the store",
		Example: `  inlay images
  inlay images --json | jq -r '.[].name'`,
		Args:              arguments(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error { return s.images(ctx) })
		},
	})
}

// imageLine is a name in the store in JSON.
type imageLine struct {
	Name      string    `json:"name"`
	Tree      string    `json:"tree"`
	Manifest  string    `json:"manifest,omitempty"`
	Platforms []string  `json:"platforms"`
	Layers    int       `json:"layers"`
	Entries   int64     `json:"entries"`
	Bytes     int64     `json:"bytes"`
	Set       time.Time `json:"set"`
}

func (s *session) images(ctx context.Context) error {
	list, err := s.embedded.Images(ctx)
	if err != nil {
		return err
	}
	lines := []imageLine{}
	for _, i := range list {
		l := imageLine{Name: i.Name, Tree: i.Tree.String(), Platforms: i.Platforms, Layers: i.Layers, Entries: i.Entries, Bytes: i.Bytes, Set: i.Set.UTC()}
		if i.Image != nil {
			l.Manifest = i.Image.Digest.String()
		}
		lines = append(lines, l)
	}
	if s.json {
		return s.writeJSON(lines)
	}
	p := s.page()
	w := tabwriter.NewWriter(p, 0, 0, 2, ' ', 0)
	cells := func(c ...string) {
		_, _ = w.Write([]byte(strings.Join(c, "\t") + "\n")) // p keeps errors
	}
	cells("NAME", "TREE", "PLATFORM", "LAYERS", "ENTRIES", "SIZE", "SET")
	for _, l := range lines {
		cells(p.name(l.Name), l.Tree[:len("sha256:")+12], strings.Join(l.Platforms, ","), number(int64(l.Layers)), number(l.Entries),
			show.Size(l.Bytes), l.Set.Local().Format("2006-01-02 15:04"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return p.Flush()
}
