package pipeline

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/tree"
)

func printWords() []Word {
	words := []Word{{
		Name: "stdout", Short: "what the last process wrote to its standard output", on: isSystem,
		Example: "from debian:12 | with-exec -- uname -a | stdout",
		run:     execWord(func(c *call, e *engine.Exec) Output { return c.content("stdout", e.Stdout) }),
	}, {
		Name: "stderr", Short: "what the last process wrote to its standard error", on: isSystem,
		Example: "from debian:12 | with-exec -- sh -c 'echo oh >&2' | stderr",
		run:     execWord(func(c *call, e *engine.Exec) Output { return c.content("stderr", e.Stderr) }),
	}, {
		Name: "exit-code", Short: "the exit code of the last process", on: isSystem,
		Example: "from debian:12 | with-exec --expect 0 --expect 1 -- test -e /x | exit-code",
		run:     execWord(func(_ *call, e *engine.Exec) Output { return Text{"exit-code", strconv.Itoa(e.ExitCode)} }),
	}, {
		Name: "digest", Short: "the digest of the file system, or of the content of the file", on: isSystem | isFile,
		Example: "from debian:12 | digest",
		run:     runDigest,
	}, {
		Name: "entries", Args: "[PATH]", max: 1, Short: "the names in the directory at a path", on: isSystem,
		Example: "from debian:12 | entries /etc",
		run:     runEntries,
	}, {
		Name: "contents", Args: "[PATH]", max: 1, Short: "what a file holds", on: isSystem | isFile,
		Example: "from debian:12 | contents /etc/os-release",
		run:     runContents,
	}, {
		Name: "glob", Args: "PATTERN", min: 1, max: 1, Short: "the paths that match; ** stands for any number of names", on: isSystem,
		Example: "from debian:12 | glob '/usr/**/*.so.1'",
		run:     runGlob,
	}, {
		Name: "stat", Args: "[PATH]", max: 1, Short: "kind, mode, owner, size, time and attributes of an entry", on: isSystem | isFile,
		Example: "from debian:12 | stat /bin",
		run:     runStat,
	}, {
		Name: "tree", Args: "[PATH]", max: 1, Short: "the directory at a path, with all below it", on: isSystem,
		Example: "from debian:12 | tree /etc/apt",
		run:     runTree,
	}, {
		Name: "changes", Short: "the paths of a change set", on: isChanges,
		Example: "from a | diff b | changes",
		run:     runChanges,
	}}
	for i := range words {
		words[i].Group, words[i].label = Prints, 1
	}
	return words
}

// resolve makes the file system that the word looks at.
func (c *call) resolve(ctx context.Context) (engine.Result, error) {
	if c.err != nil {
		return engine.Result{}, c.err
	}
	return c.runner.resolve(ctx, node(c.in))
}

// known makes the file system that the word looks at, with all its digests.
func (c *call) known(ctx context.Context) (engine.Result, error) {
	r, err := c.resolve(ctx)
	if err != nil {
		return engine.Result{}, err
	}
	return r.Known(ctx)
}

// content gives the content of a file as output.
func (c *call) content(name string, f tree.File) Output {
	return Content{Name: name, Size: f.Size, Open: func(ctx context.Context) (io.ReadCloser, error) {
		if f.Size == 0 {
			return io.NopCloser(strings.NewReader("")), nil
		}
		return c.runner.env.Client.Engine().OpenContent(ctx, f.Content)
	}}
}

func execWord(f func(*call, *engine.Exec) Output) func(context.Context, *call) (value, error) {
	return func(ctx context.Context, c *call) (value, error) {
		r, err := c.resolve(ctx)
		if err != nil {
			return nil, err
		}
		if r.Exec == nil {
			return nil, errors.New("no process ran before it: use with-exec")
		}
		return c.in, c.print(ctx, f(c, r.Exec))
	}
}

// at gives what stands at a path: of the file system, its argument, or the file.
func (c *call) at(ctx context.Context, follow tree.Follow) (string, tree.Entry, error) {
	return c.lookAt(ctx, c.resolve, follow)
}

// knownAt is at, with digests.
func (c *call) knownAt(ctx context.Context, follow tree.Follow) (string, tree.Entry, error) {
	return c.lookAt(ctx, c.known, follow)
}

func (c *call) lookAt(ctx context.Context, made func(context.Context) (engine.Result, error), follow tree.Follow) (string, tree.Entry, error) {
	r, err := made(ctx)
	if err != nil {
		return "", nil, err
	}
	var p string
	switch f, ok := c.in.(file); {
	case ok && len(c.args) > 0:
		return "", nil, c.errorf("%s: a file has nothing below it: leave out %s", c.parsed.word.Name, clip(c.args[0].text))
	case ok:
		_, p = f.Directory()
	default:
		if p = c.path(0); c.err != nil {
			return "", nil, c.err
		}
	}
	found, err := tree.Resolve(ctx, r.Tree, p, follow)
	if err != nil {
		return "", nil, err
	}
	if found.Entry == nil {
		return "", nil, &fs.PathError{Op: "look at", Path: p, Err: fs.ErrNotExist}
	}
	return p, found.Entry, nil
}

func (c *call) directoryAt(ctx context.Context) (tree.Tree, error) {
	p, e, err := c.at(ctx, tree.FollowAll)
	if err != nil {
		return tree.Tree{}, err
	}
	return asDirectory(p, e)
}

func asDirectory(p string, e tree.Entry) (tree.Tree, error) {
	t, ok := e.(tree.Tree)
	if !ok {
		return t, &fs.PathError{Op: "list", Path: p, Err: tree.ErrNotDirectory}
	}
	return t, nil
}

func runDigest(ctx context.Context, c *call) (value, error) {
	if _, ok := c.in.(file); ok {
		f, err := c.regular(ctx)
		if err != nil {
			return nil, err
		}
		d := f.Content
		if f.Size == 0 {
			d = digest.Of(nil) // files without content carry none
		}
		return c.in, c.print(ctx, Text{"digest", d.String()})
	}
	r, err := c.known(ctx)
	if err != nil {
		return nil, err
	}
	return c.in, c.print(ctx, Text{"digest", r.Tree.Digest().String()})
}

// regular gives the file that the word looks at.
func (c *call) regular(ctx context.Context) (tree.File, error) {
	p, e, err := c.knownAt(ctx, tree.FollowAll)
	if err != nil {
		return tree.File{}, err
	}
	f, ok := e.(tree.File)
	if !ok {
		return tree.File{}, &fs.PathError{Op: "read", Path: p, Err: errors.New("a " + e.Kind().String() + " is not a file")}
	}
	return f, nil
}

func runContents(ctx context.Context, c *call) (value, error) {
	if _, ok := c.in.(system); ok && len(c.args) == 0 {
		return nil, c.errorf("contents: of which file? Write `contents PATH`")
	}
	f, err := c.regular(ctx)
	if err != nil {
		return nil, err
	}
	return c.in, c.print(ctx, c.content("contents", f))
}

func runEntries(ctx context.Context, c *call) (value, error) {
	t, err := c.directoryAt(ctx)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for child, err := range t.All(ctx) {
		if err != nil {
			return nil, err
		}
		if child.Entry.Kind() == tree.KindDirectory {
			child.Name += "/"
		}
		names = append(names, child.Name)
	}
	return c.in, c.print(ctx, Names{names})
}

func runGlob(ctx context.Context, c *call) (value, error) {
	pattern := c.path(0)
	r, err := c.resolve(ctx)
	if err != nil {
		return nil, err
	}
	names, err := compose.Glob(ctx, r.Tree, pattern)
	if err != nil {
		return nil, err
	}
	return c.in, c.print(ctx, Names{names})
}

func runStat(ctx context.Context, c *call) (value, error) {
	p, e, err := c.knownAt(ctx, tree.FollowParents)
	if err != nil {
		return nil, err
	}
	return c.in, c.print(ctx, Stat{p, e})
}

func runTree(ctx context.Context, c *call) (value, error) {
	p, e, err := c.knownAt(ctx, tree.FollowAll)
	if err != nil {
		return nil, err
	}
	t, err := asDirectory(p, e)
	if err != nil {
		return nil, err
	}
	return c.in, c.print(ctx, Listing{p, t})
}

func runChanges(ctx context.Context, c *call) (value, error) {
	var sides [2]tree.Tree
	for i, n := range node(c.in).Inputs() {
		r, err := c.runner.resolve(ctx, n)
		if err == nil {
			r, err = r.Known(ctx)
		}
		if err != nil {
			return nil, err
		}
		sides[i] = r.Tree
	}
	return c.in, c.print(ctx, Changes{sides[0], sides[1]})
}
