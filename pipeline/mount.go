package pipeline

import (
	"context"
	"strings"

	"github.com/inlaybuild/inlay"
)

func mountWords() []Word {
	words := []Word{{
		Name: "with-mounted-directory", Args: "PATH DIR", Short: "show a directory to the processes that follow",
		Flags:   append(selectFlags(), hostFlags()...),
		Example: "from golang | with-mounted-directory /src . | with-workdir /src | with-exec -- go build -o /out .",
		min:     2, max: 2, run: runMountedDirectory,
	}, {
		Name: "with-mounted-file", Args: "PATH FILE", Short: "show a file to the processes that follow",
		Example: "from debian:12 | with-mounted-file /run/setup ./setup.sh | with-exec -- sh /run/setup",
		min:     2, max: 2, run: runMountedFile,
	}, {
		Name: "with-mounted-cache", Args: "PATH NAME", Short: "a directory that stays between runs, by its name",
		Example: "from golang | with-mounted-cache /root/.cache go | with-exec -- go version",
		min:     2, max: 2, run: runMountedCache,
	}, {
		Name: "with-mounted-temp", Args: "PATH", Short: "an empty directory in memory for each process",
		Example: "from debian:12 | with-mounted-temp /tmp | with-exec -- df /tmp | stdout",
		min:     1, max: 1, run: runMountedTemp,
	}, {
		Name: "with-mounted-secret", Args: "PATH SECRET", Short: "show a secret as a file that only root can read",
		Long:    "SECRET is env:NAME, a variable of inlay's own environment, or file:PATH. It gets into no\nstore, log or image.",
		Example: "from debian:12 | with-mounted-secret /run/token env:TOKEN | with-exec -- test -s /run/token",
		min:     2, max: 2, run: runMountedSecret,
	}, {
		Name: "without-mount", Args: "PATH", Short: "take away what is mounted at a path",
		Example: "from debian:12 | with-mounted-temp /tmp | with-exec -- true | without-mount /tmp",
		min:     1, max: 1, run: runWithoutMount,
	}}
	for i := range words {
		words[i].Group, words[i].on, words[i].label = Mounts, isSystem, 1
	}
	return words
}

func runMountedDirectory(_ context.Context, c *call) (value, error) {
	at, err := c.path(0)
	if err != nil {
		return nil, err
	}
	var o inlay.CopyOptions
	if c.has("include") || c.has("exclude") {
		o.Include, o.Exclude = c.list("include"), c.list("exclude")
	}
	d, err := c.source(&o)
	if err != nil {
		return nil, err
	}
	if len(o.Include) > 0 || len(o.Exclude) > 0 {
		d = inlay.Scratch().WithDirectory("/", d, o)
	}
	return c.system().mount(func(to inlay.Container) inlay.Container { return to.WithMountedDirectory(at, d) }), nil
}

func runMountedFile(_ context.Context, c *call) (value, error) {
	at, err := c.path(0)
	if err != nil {
		return nil, err
	}
	f, err := c.file(1)
	if err != nil {
		return nil, err
	}
	return c.system().mount(func(to inlay.Container) inlay.Container { return to.WithMountedFile(at, f) }), nil
}

func runMountedCache(_ context.Context, c *call) (value, error) {
	at, err := c.path(0)
	if err != nil {
		return nil, err
	}
	name, err := c.text(1)
	if err != nil {
		return nil, err
	}
	return c.system().mount(func(to inlay.Container) inlay.Container { return to.WithMountedCache(at, name) }), nil
}

func runMountedTemp(_ context.Context, c *call) (value, error) {
	at, err := c.path(0)
	if err != nil {
		return nil, err
	}
	return c.system().mount(func(to inlay.Container) inlay.Container { return to.WithMountedTemp(at) }), nil
}

func runMountedSecret(_ context.Context, c *call) (value, error) {
	at, err := c.path(0)
	if err != nil {
		return nil, err
	}
	name, err := c.text(1)
	if err != nil {
		return nil, err
	}
	kind, where, _ := strings.Cut(name, ":")
	var s inlay.Secret
	switch {
	case kind == "env" && where != "":
		s = inlay.SecretEnv(where)
	case kind == "file" && where != "":
		s = inlay.SecretFile(where)
	default:
		return nil, c.runner.script.errorAt(c.args[1].at, "with-mounted-secret: want env:NAME or file:PATH")
	}
	return c.system().mount(func(to inlay.Container) inlay.Container { return to.WithMountedSecret(at, s) }), nil
}

func runWithoutMount(_ context.Context, c *call) (value, error) {
	at, err := c.path(0)
	if err != nil {
		return nil, err
	}
	return c.system().mount(func(to inlay.Container) inlay.Container { return to.WithoutMount(at) }), nil
}
