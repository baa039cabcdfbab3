package pipeline

import (
	"context"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/engine"
)

func sourceWords() []Word {
	return []Word{{
		Name: "from", Group: Sources, Args: "SRC", Short: "start from an image or a tree that has a name",
		Long: "SRC is a name in the store or a registry's reference, oci:DIR[:TAG], oci-archive:FILE,\n" +
			"docker-archive:FILE, tar:FILE[.gz|.zst], dir:PATH, scratch, or a digest. ./PATH and /PATH are dir:PATH,\n" +
			"with owners as they are on this machine; with `host PATH` everything is owned by 0:0.",
		Flags:   []Flag{{Name: "platform", Arg: "OS/ARCH", Help: "which image of several; this machine's if not given"}},
		Example: "from debian:12 | with-file /usr/local/bin/ ./tool | export oci:out",
		min:     1, max: 1, label: 1, run: runFrom,
	}, {
		Name: "host", Group: Sources, Args: "PATH", Short: "start from a directory of this machine",
		Long:    "Everything is owned by 0:0 unless --keep-owner is given.",
		Flags:   append(hostFlags(), selectFlags()...),
		Example: "host . --gitignore | export tar:src.tar",
		min:     1, max: 1, label: 1, run: runHost,
	}, {
		Name: "scratch", Group: Sources, Short: "start from nothing",
		Example: "scratch | with-file /init ./init | export oci:out",
		run: func(context.Context, *call) (value, error) {
			return system{dir: inlay.Scratch()}, nil
		},
	}}
}

func hostFlags() []Flag {
	return []Flag{
		{Name: "keep-owner", Help: "owners as on this machine; otherwise everything is 0:0"},
	}
}

func selectFlags() []Flag {
	return []Flag{
		{Name: "include", Arg: "PATTERN", Many: true, Help: "only what matches, in the language of .dockerignore"},
		{Name: "exclude", Arg: "PATTERN", Many: true, Help: "not what matches, in the language of .dockerignore"},
		{Name: "gitignore", Help: "leave out what .gitignore files name"},
	}
}

func runFrom(_ context.Context, c *call) (value, error) {
	switch v := c.args[0].value.(type) {
	case system:
		return v, nil
	case nil:
	default:
		return nil, c.runner.script.errorAt(c.args[0].at, "from wants a file system, not %s", v.kind())
	}
	src := c.src(0)
	if _, err := engine.ParsePlace(src); err != nil {
		return nil, c.runner.script.errorAt(c.args[0].at, "from: %v", err)
	}
	return system{dir: inlay.From(src, inlay.FromOptions{Platform: c.flag("platform")}).Root()}, nil
}

func (c *call) hostOptions() inlay.HostOptions {
	return inlay.HostOptions{
		Include:   c.list("include"),
		Exclude:   c.list("exclude"),
		Gitignore: c.has("gitignore"),
		KeepOwner: c.has("keep-owner"),
	}
}

func runHost(_ context.Context, c *call) (value, error) {
	p := c.text(0)
	if p == "" {
		c.fail(c.parsed.at, "host: the path is empty; write . for the working directory")
	}
	return system{dir: inlay.HostDirectory(p, c.hostOptions())}, nil
}
