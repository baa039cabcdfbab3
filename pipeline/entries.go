package pipeline

import (
	"context"

	"github.com/inlaybuild/inlay"
)

func fileWords() []Word {
	words := []Word{{
		Name: "with-new-file", Args: "PATH CONTENT", Short: "put a file with the given content", Flags: copyFlags(),
		Example: `from debian:12 | with-new-file /etc/motd "hello
" | export oci:out`,
		min: 2, max: 2, label: 1, run: runWithNewFile,
	}, {
		Name: "with-new-directory", Args: "PATH", Short: "make a directory, with its parents", Flags: copyFlags(),
		Example: "scratch | with-new-directory --mode 1777 /tmp | export oci:out",
		min:     1, max: 1, label: 1, run: runWithNewDirectory,
	}, {
		Name: "with-symlink", Args: "TARGET PATH", Short: "put a symlink to TARGET at PATH", Flags: copyFlags(),
		Example: "scratch | with-symlink usr/bin /bin | export oci:out",
		min:     2, max: 2, label: 2, run: runWithSymlink,
	}, {
		Name: "without-file", Args: "PATH", Short: "take a file away; that there is none is no error",
		Example: "from debian:12 | without-file /etc/motd | export oci:out",
		min:     1, max: 1, label: 1, run: pathWord(inlay.Directory.WithoutFile),
	}, {
		Name: "without-directory", Args: "PATH", Short: "take a directory away, with all that it holds",
		Example: "from debian:12 | without-directory /usr/share/doc | export oci:out",
		min:     1, max: 1, label: 1, run: pathWord(inlay.Directory.WithoutDirectory),
	}}
	for i := range words {
		words[i].Group, words[i].on = Files, isSystem
	}
	return words
}

// pathWord is a word that changes something at one path.
func pathWord(f func(d inlay.Directory, at string) inlay.Directory) func(context.Context, *call) (value, error) {
	return func(_ context.Context, c *call) (value, error) {
		at := c.path(0)
		return c.change(func(d inlay.Directory) inlay.Directory { return f(d, at) })
	}
}

func runWithNewFile(_ context.Context, c *call) (value, error) {
	at, content, o := c.path(0), c.text(1), c.copyOptions()
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithNewFile(at, content, o) })
}

func runWithNewDirectory(_ context.Context, c *call) (value, error) {
	at, o := c.path(0), c.copyOptions()
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithNewDirectory(at, o) })
}

func runWithSymlink(_ context.Context, c *call) (value, error) {
	target, at, o := c.text(0), c.path(1), c.copyOptions()
	return c.change(func(d inlay.Directory) inlay.Directory { return d.WithSymlink(target, at, o) })
}
