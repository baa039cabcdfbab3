package main

import "github.com/spf13/cobra"

func (a *app) pushCommand() *cobra.Command {
	var w writer
	c := &cobra.Command{
		Use:   "push [--compression HOW] [--plain-http] SRC REF",
		Short: "write an image to a registry",
		Long: "Write what SRC names to a registry. Only what the registry does not have is sent.\n" +
			"Credentials are those of docker: its config.json and its helpers.\n\n" + sources,
		Example: `  inlay push oci:out registry.example.org/tool:1
  inlay push --all-platforms tool localhost:5000/tool:1`,
		Args:              sourced(1, 2, 2),
		ValidArgsFunction: a.completeSources(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := reference(args[1])
			if err != nil {
				return err
			}
			return w.run(cmd.Context(), a, args[0], to)
		},
	}
	w.flags(c)
	return a.jsonFlag(c)
}
