package pipeline

import (
	"context"

	"github.com/inlaybuild/inlay"
)

func copyWords() []Word {
	words := []Word{{
		Name: "with-file", Args: "PATH FILE", Short: "put a file at a path",
		Long: "Under its own name if PATH ends in a slash or leads to a directory. Symlinks on the way\n" +
			"are followed as a process would: /bin/tool goes to /usr/bin/tool where /bin is a symlink.\n" +
			"FILE is ./PATH or /PATH of this machine, or $(from SRC | file PATH).",
		Flags:   append(copyFlags(), keepLinkFlag()),
		Example: "from debian:12 | with-file --mode 0755 /bin/tool ./tool | export oci:out",
		min:     2, max: 2, label: 2, run: runWithFile,
	}, {
		Name: "with-files", Args: "PATH FILE...", Short: "put files into a directory, each under its own name",
		Flags:   append(copyFlags(), keepLinkFlag()),
		Example: "from debian:12 | with-files /etc/tool/ ./a.conf ./b.conf | export oci:out",
		min:     2, max: -1, label: -1, run: runWithFiles,
	}, {
		Name: "with-directory", Args: "PATH DIR", Short: "put what a directory holds into the directory at a path",
		Long: "Directories merge; a symlink at the destination that leads to a directory stays, and\n" +
			"what is copied goes to where it leads. DIR is a SRC, ./PATH or /PATH of this machine\n" +
			"(then everything is owned by 0:0, unless --keep-owner is given), or $(pipeline).",
		Flags:   append(append(copyFlags(), selectFlags()...), hostFlags()...),
		Example: "from debian:12 | with-directory --owner 0:0 / ./rootfs | export oci:out",
		min:     2, max: 2, label: 2, run: runWithDirectory,
	}, {
		Name: "with-copy", Args: "PATH DIR FROM...", Short: "put what paths and patterns of a directory lead to, as COPY does",
		Flags: append(append(append(copyFlags(), selectFlags()...), hostFlags()...),
			Flag{Name: "allow-empty", Help: "a pattern that matches nothing is no error"},
			keepLinkFlag()),
		Example: "from debian:12 | with-copy /opt/ . '*.conf' bin | export oci:out",
		min:     3, max: -1, label: -1, run: runWithCopy,
	}, {
		Name: "with-merged", Args: "DIR...", Short: "lay directories over it, as layers of an image",
		Long:    "Later ones win; a directory takes the place of a symlink.",
		Example: "from debian:12 | with-merged dir:./a dir:./b | digest",
		min:     1, max: -1, label: -1, run: runWithMerged,
	}, {
		Name: "with-root", Args: "DIR", Short: "another file system, with this configuration",
		Example: "from debian:12 | with-root $(from tar:root.tar) | export oci:out",
		min:     1, max: 1, label: 1, run: runWithRoot,
	}}
	for i := range words {
		words[i].Group, words[i].on = Files, isSystem
	}
	return words
}

func keepLinkFlag() Flag {
	return Flag{Name: "keep-link", Help: "copy a source that is a symlink as a symlink"}
}

func copyFlags() []Flag {
	return []Flag{
		{Name: "owner", Arg: "USER[:GROUP]", Help: "names are looked up in the destination"},
		{Name: "mode", Arg: "MODE", Help: "octal, or symbolic such as u+rwX"},
		{Name: "time", Arg: "TIME", Help: "whole seconds since 1970, or a date such as 2006-01-02T15:04:05Z"},
		{Name: "overlay", Help: "follow no symlink of the destination; a directory replaces one"},
		{Name: "no-overlay", Help: "follow them, where the default was set to overlay"},
		{Name: "existing", Arg: "HOW", OneOf: []string{"merge", "replace", "forbid"}, Help: "merge (the default), replace (the directory is emptied first) or forbid"},
	}
}

func runWithFile(_ context.Context, c *call) (value, error) {
	to, f, o := c.path(0), c.file(1), c.copyOptions()
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithFile(to, f, o) })
}

func runWithFiles(_ context.Context, c *call) (value, error) {
	to, files, o := c.path(0), c.files(1), c.copyOptions()
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithFiles(to, files, o) })
}

// source gives the directory whose contents are copied. What selects is left to
// the reading of this machine's directory, if it is one.
func (c *call) source(o *inlay.CopyOptions) inlay.Directory {
	d, host := c.from(c.hostOptions())
	if host {
		o.Include, o.Exclude, o.Gitignore = nil, nil, false
	}
	return d
}

// from gives the directory that a copy is from, and whether it is one of this
// machine, which the options are for.
func (c *call) from(o inlay.HostOptions) (d inlay.Directory, host bool) {
	if d, host = c.directory(1, o); host {
		return d, true
	}
	for _, f := range hostFlags() {
		if c.has(f.Name) {
			c.fail(c.flags[f.Name][0].at, "%s: --%s is for a directory of this machine, written ./PATH or /PATH", c.parsed.word.Name, f.Name)
		}
	}
	return d, false
}

func runWithDirectory(_ context.Context, c *call) (value, error) {
	to, o := c.path(0), c.copyOptions()
	src := c.source(&o)
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithDirectory(to, src, o) })
}

func runWithCopy(_ context.Context, c *call) (value, error) {
	to, o := c.path(0), c.copyOptions()
	// What selects is relative to what is copied, not to the directory.
	src, _ := c.from(inlay.HostOptions{KeepOwner: c.has("keep-owner")})
	from := c.texts(2)
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithCopy(to, src, from, o) })
}

func runWithMerged(_ context.Context, c *call) (value, error) {
	var over []inlay.Directory
	for i := range c.args {
		d, _ := c.directory(i, inlay.HostOptions{})
		over = append(over, d)
	}
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithMerged(over...) })
}

func runWithRoot(_ context.Context, c *call) (value, error) {
	root, _ := c.directory(0, inlay.HostOptions{})
	return c.configure(func(to inlay.Container) inlay.Container { return to.WithRoot(root) })
}
