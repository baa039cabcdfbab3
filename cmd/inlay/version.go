package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use:               "version",
		Short:             "tell the version",
		Example:           "  inlay version",
		Args:              arguments(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			v := map[string]string{"version": "unknown", "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				v["version"] = info.Main.Version
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						v["revision"] = s.Value
					}
				}
			}
			if a.json {
				return a.writeJSON(v)
			}
			p := a.page()
			p.printf("inlay %s", v["version"])
			if r := v["revision"]; len(r) >= 12 {
				p.printf(" (%s)", r[:12])
			}
			p.printf(" %s %s\n", v["go"], v["platform"])
			return p.Flush()
		},
	})
}
