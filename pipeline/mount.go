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

// mount gives the file system that the word works on, with one more mount.
func (c *call) mount(f func(inlay.Container) inlay.Container) (value, error) {
	if c.err != nil {
		return nil, c.err
	}
	return c.system().mount(f), nil
}

func runMountedDirectory(_ context.Context, c *call) (value, error) {
	at := c.path(0)
	o := inlay.CopyOptions{Include: c.list("include"), Exclude: c.list("exclude"), Gitignore: c.has("gitignore")}
	d := c.source(&o)
	if len(o.Include) > 0 || len(o.Exclude) > 0 || o.Gitignore {
		d = inlay.Scratch().WithDirectory("/", d, o)
	}
	return c.mount(func(to inlay.Container) inlay.Container { return to.WithMountedDirectory(at, d) })
}

func runMountedFile(_ context.Context, c *call) (value, error) {
	at, f := c.path(0), c.file(1)
	return c.mount(func(to inlay.Container) inlay.Container { return to.WithMountedFile(at, f) })
}

func runMountedCache(_ context.Context, c *call) (value, error) {
	at, name := c.path(0), c.text(1)
	return c.mount(func(to inlay.Container) inlay.Container { return to.WithMountedCache(at, name) })
}

func runMountedTemp(_ context.Context, c *call) (value, error) {
	at := c.path(0)
	return c.mount(func(to inlay.Container) inlay.Container { return to.WithMountedTemp(at) })
}

func runMountedSecret(_ context.Context, c *call) (value, error) {
	at, s := c.path(0), c.secret(1)
	return c.mount(func(to inlay.Container) inlay.Container { return to.WithMountedSecret(at, s) })
}

// secret gives an argument that says where a secret is; it is not read here.
func (c *call) secret(i int) (s inlay.Secret) {
	kind, where, _ := strings.Cut(c.text(i), ":")
	switch {
	case kind == "env" && where != "":
		return inlay.SecretEnv(where)
	case kind == "file" && where != "":
		return inlay.SecretFile(where)
	}
	c.fail(c.args[i].at, "%s: want env:NAME or file:PATH", c.parsed.word.Name)
	return s
}

func runWithoutMount(_ context.Context, c *call) (value, error) {
	at := c.path(0)
	return c.mount(func(to inlay.Container) inlay.Container { return to.WithoutMount(at) })
}
