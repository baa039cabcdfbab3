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
		Flags:   copyFlags(),
		Example: "from debian:12 | with-file --mode 0755 /bin/tool ./tool | export oci:out",
		min:     2, max: 2, label: 2, run: runWithFile,
	}, {
		Name: "with-files", Args: "PATH FILE...", Short: "put files into a directory, each under its own name",
		Flags:   copyFlags(),
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
			Flag{Name: "keep-link", Help: "copy a source that is a symlink as a symlink"}),
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

func copyFlags() []Flag {
	return []Flag{
		{Name: "owner", Arg: "USER[:GROUP]", Help: "names are looked up in the destination"},
		{Name: "mode", Arg: "MODE", Help: "octal, or symbolic such as u+rwX"},
		{Name: "time", Arg: "TIME", Help: "seconds since 1970, or a date such as 2006-01-02T15:04:05Z"},
		{Name: "overlay", Help: "follow no symlink of the destination; a directory replaces one"},
		{Name: "existing", Arg: "HOW", OneOf: []string{"merge", "replace", "forbid"}, Help: "merge (the default), replace (the directory is emptied first) or forbid"},
	}
}

func runWithFile(_ context.Context, c *call) (value, error) {
	to, err := c.path(0)
	if err != nil {
		return nil, err
	}
	f, err := c.file(1)
	if err != nil {
		return nil, err
	}
	o, err := c.copyOptions()
	if err != nil {
		return nil, err
	}
	s := c.system()
	s.dir = s.dir.WithFile(to, f, o)
	return s, nil
}

func runWithFiles(_ context.Context, c *call) (value, error) {
	to, err := c.path(0)
	if err != nil {
		return nil, err
	}
	var files []inlay.File
	for i := 1; i < len(c.args); i++ {
		f, err := c.file(i)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	o, err := c.copyOptions()
	if err != nil {
		return nil, err
	}
	s := c.system()
	s.dir = s.dir.WithFiles(to, files, o)
	return s, nil
}

// source gives the directory that a copy is from. What selects is left to the
// reading of this machine's directory, if it is one.
func (c *call) source(o *inlay.CopyOptions) (inlay.Directory, error) {
	d, host, err := c.directory(1, c.hostOptions())
	if err != nil {
		return d, err
	}
	if host {
		o.Include, o.Exclude = nil, nil
		return d, nil
	}
	for _, f := range hostFlags() {
		if c.has(f.Name) {
			return d, c.runner.script.errorAt(c.flags[f.Name][0].at, "%s: --%s is for a directory of this machine, written ./PATH or /PATH", c.parsed.word.Name, f.Name)
		}
	}
	return d, nil
}

func runWithDirectory(_ context.Context, c *call) (value, error) {
	to, err := c.path(0)
	if err != nil {
		return nil, err
	}
	o, err := c.copyOptions()
	if err != nil {
		return nil, err
	}
	d, err := c.source(&o)
	if err != nil {
		return nil, err
	}
	s := c.system()
	s.dir = s.dir.WithDirectory(to, d, o)
	return s, nil
}

func runWithCopy(_ context.Context, c *call) (value, error) {
	to, err := c.path(0)
	if err != nil {
		return nil, err
	}
	o, err := c.copyOptions()
	if err != nil {
		return nil, err
	}
	d, err := c.source(&o)
	if err != nil {
		return nil, err
	}
	from, err := c.texts(2)
	if err != nil {
		return nil, err
	}
	s := c.system()
	s.dir = s.dir.WithCopy(to, d, from, o)
	return s, nil
}

func runWithMerged(_ context.Context, c *call) (value, error) {
	var over []inlay.Directory
	for i := range c.args {
		d, _, err := c.directory(i, inlay.HostOptions{})
		if err != nil {
			return nil, err
		}
		over = append(over, d)
	}
	s := c.system()
	s.dir = s.dir.WithMerged(over...)
	return s, nil
}

func runWithRoot(_ context.Context, c *call) (value, error) {
	d, _, err := c.directory(0, inlay.HostOptions{})
	if err != nil {
		return nil, err
	}
	s := c.system()
	s.dir = s.dir.Container().WithRoot(d).Root()
	return s, nil
}
