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
		min:     1, max: 1, label: 1,
		run: pathWord(func(d inlay.Directory, p string) inlay.Directory { return d.WithoutFile(p) }),
	}, {
		Name: "without-directory", Args: "PATH", Short: "take a directory away, with all that it holds",
		Example: "from debian:12 | without-directory /usr/share/doc | export oci:out",
		min:     1, max: 1, label: 1,
		run: pathWord(func(d inlay.Directory, p string) inlay.Directory { return d.WithoutDirectory(p) }),
	}}
	for i := range words {
		words[i].Group, words[i].on = Files, isSystem
	}
	return words
}

// pathWord is a word that changes something at one path.
func pathWord(f func(inlay.Directory, string) inlay.Directory) func(context.Context, *call) (value, error) {
	return func(_ context.Context, c *call) (value, error) {
		p, err := c.path(0)
		if err != nil {
			return nil, err
		}
		s := c.system()
		s.dir = f(s.dir, p)
		return s, nil
	}
}

func runWithNewFile(_ context.Context, c *call) (value, error) {
	at, err := c.path(0)
	if err != nil {
		return nil, err
	}
	content, err := c.text(1)
	if err != nil {
		return nil, err
	}
	o, err := c.copyOptions()
	if err != nil {
		return nil, err
	}
	s := c.system()
	s.dir = s.dir.WithNewFile(at, content, o)
	return s, nil
}

func runWithNewDirectory(_ context.Context, c *call) (value, error) {
	at, err := c.path(0)
	if err != nil {
		return nil, err
	}
	o, err := c.copyOptions()
	if err != nil {
		return nil, err
	}
	s := c.system()
	s.dir = s.dir.WithNewDirectory(at, o)
	return s, nil
}

func runWithSymlink(_ context.Context, c *call) (value, error) {
	target, err := c.text(0)
	if err != nil {
		return nil, err
	}
	at, err := c.path(1)
	if err != nil {
		return nil, err
	}
	o, err := c.copyOptions()
	if err != nil {
		return nil, err
	}
	s := c.system()
	s.dir = s.dir.WithSymlink(target, at, o)
	return s, nil
}
