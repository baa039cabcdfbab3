package main

import (
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/spf13/cobra"
)

func (a *app) pullCommand() *cobra.Command {
	var o embedded.ImportOptions
	c := &cobra.Command{
		Use:   "pull [--platform OS/ARCH | --all-platforms] [--plain-http] REF",
		Short: "bring an image of a registry into the store under its reference",
		Long:  "Bring an image of a registry into the store, under its reference. Credentials are those\nof docker: its config.json and its helpers.",
		Example: `  inlay pull debian:12
  inlay pull --all-platforms registry.example.org/tool:1
  inlay pull --platform linux/arm64 localhost:5000/tool`,
		Args:              arguments(1, 1),
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := reference(args[0])
			if err != nil {
				return err
			}
			return a.imports(cmd.Context(), from, args[0], o)
		},
	}
	importFlags(c, &o)
	return a.jsonFlag(c)
}

// reference reads a registry's reference.
func reference(ref string) (engine.Place, error) {
	p, err := engine.ParsePlace(ref)
	if err != nil || p.Scheme != engine.SchemeName || embedded.CheckName(ref) != nil {
		return p, usageErrorf("%q: want a registry's reference, such as debian:12 or registry.example.org/name:tag", ref)
	}
	return p, nil
}
