package pipeline

import (
	"context"

	"github.com/inlaybuild/inlay"
)

func editWords() []Word {
	forbid := []Flag{{Name: "existing", Arg: "HOW", OneOf: []string{"replace", "forbid"}, Help: "replace what is there (the default) or forbid"}}
	shallow := []Flag{{Name: "shallow", Help: "not what is below the paths"}}
	words := []Word{{
		Name: "with-renamed", Args: "FROM TO", Short: "give a file or a directory another path",
		Long:    "Missing parents are made. To a path that ends in a slash it goes under its own name.",
		Flags:   forbid,
		Example: "from debian:12 | with-renamed /etc/motd /etc/motd.old | export oci:out",
		min:     2, max: 2, label: 2, run: runWithRenamed,
	}, {
		Name: "with-hardlink", Args: "TARGET PATH", Short: "make another name for a file: one inode",
		Flags:   forbid,
		Example: "from busybox | with-hardlink /bin/busybox /bin/vi | export oci:out",
		min:     2, max: 2, label: 2, run: runWithHardlink,
	}, {
		Name: "with-mode", Args: "MODE PATH...", Short: "change modes, of all below the paths too",
		Long: "MODE is octal, which sets all twelve bits, or symbolic such as u+rwX, as chmod has it.\n" +
			"PATH may have wildcards. No file is copied.",
		Flags:   shallow,
		Example: "from debian:12 | with-mode go-w /opt '/etc/*.conf' | export oci:out",
		min:     2, max: -1, label: -1, run: runWithMode,
	}, {
		Name: "with-owner", Args: "USER[:GROUP] PATH...", Short: "change owners, of all below the paths too",
		Long:    "Names are looked up in the file system. PATH may have wildcards. No file is copied.",
		Flags:   shallow,
		Example: "from debian:12 | with-owner www-data /var/www | export oci:out",
		min:     2, max: -1, label: -1, run: runWithOwner,
	}, {
		Name: "with-time", Args: "TIME PATH...", Short: "change times of modification, of all below the paths too",
		Long:    "TIME is whole seconds since 1970, or a date such as 2006-01-02T15:04:05Z.",
		Flags:   shallow,
		Example: "from debian:12 | with-time 2024-01-01 / | export oci:out",
		min:     2, max: -1, label: -1, run: runWithTime,
	}, {
		Name: "without-paths", Args: "PATTERN...", Short: "take away all that patterns match; none is no error",
		Long:    "* ? and [...] match within a name, ** any number of names.",
		Example: "from debian:12 | without-paths '/var/cache/**' '/**/*.pyc' | export oci:out",
		min:     1, max: -1, label: -1, run: runWithoutPaths,
	}, {
		Name: "with-default-overlay", Args: "[on|off]", Short: "make copies that follow overlays, unless they say --no-overlay",
		Example: "from debian:12 | with-default-overlay | with-directory / ./layer | export oci:out",
		max:     1, label: -1, run: runWithDefaultOverlay,
	}}
	for i := range words {
		words[i].Group, words[i].on = Files, isSystem
	}
	return words
}

func (c *call) editOptions() inlay.EditOptions {
	return inlay.EditOptions{Forbid: c.flag("existing") == "forbid"}
}

func (c *call) attrOptions() inlay.AttrOptions {
	return inlay.AttrOptions{Shallow: c.has("shallow")}
}

func runWithRenamed(_ context.Context, c *call) (value, error) {
	from, to, o := c.path(0), c.path(1), c.editOptions()
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithRenamed(from, to, o) })
}

func runWithHardlink(_ context.Context, c *call) (value, error) {
	target, at, o := c.path(0), c.path(1), c.editOptions()
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithHardlink(target, at, o) })
}

func runWithMode(_ context.Context, c *call) (value, error) {
	mode, paths, o := c.mode(c.args[0]), c.texts(1), c.attrOptions()
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithMode(mode, paths, o) })
}

func runWithOwner(_ context.Context, c *call) (value, error) {
	owner, paths, o := c.text(0), c.texts(1), c.attrOptions()
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithOwner(owner, paths, o) })
}

func runWithTime(_ context.Context, c *call) (value, error) {
	at, paths, o := c.time(c.args[0]), c.texts(1), c.attrOptions()
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithTime(at, paths, o) })
}

func runWithoutPaths(_ context.Context, c *call) (value, error) {
	patterns := c.texts(0)
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithoutPaths(patterns...) })
}

func runWithDefaultOverlay(_ context.Context, c *call) (value, error) {
	on := true
	if len(c.args) > 0 {
		switch c.text(0) {
		case "on":
		case "off":
			on = false
		default:
			c.fail(c.args[0].at, "%s: want on or off", c.parsed.word.Name)
		}
	}
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithDefaultOverlay(on) })
}
