package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

func (a *app) rmiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rmi NAME...",
		Short: "forget names in the store",
		Long:  "Forget names in the store. What they stood for goes with the next `inlay gc`.",
		Example: `  inlay rmi debian:12
  inlay rmi old && inlay gc`,
		Args:              arguments(1, -1),
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				var errs []error
				for _, name := range args {
					errs = append(errs, s.embedded.Remove(ctx, name))
				}
				return errors.Join(errs...)
			})
		},
	}
}
