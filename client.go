package inlay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

// Client makes values real, by an engine. It is used by several goroutines at
// once. Close it at the end.
type Client struct {
	engine engine.Engine
	events engine.Sink
}

// Options say how a client works.
type Options struct {
	// Store is the directory of the store. "" is $INLAY_STORE, or
	// $XDG_DATA_HOME/inlay, or for root /var/lib/inlay.
	Store string
	// Terminal is the person's, for [Container.WithTerminal]; the zero value is
	// standard input and output.
	Terminal embedded.Streams
	// Events receives what happens while values are resolved; nil drops it.
	Events engine.Sink
	// Forget makes the store remember no runs. Otherwise each value that is
	// resolved is one, which `inlay runs` lists, with its steps, their trees and
	// logs. [Client.Begin] makes one of several.
	Forget bool
	// CacheFrom are caches of other machines that results are taken from: an
	// engine.ParseCache of "type=registry,ref=REF,trust=true", or
	// "type=local,src=DIR,trust=true". CacheTo are those that
	// [Client.ExportCache] writes. See docs/cache.md.
	CacheFrom, CacheTo []engine.Cache
	// Remote gives a machine that runs the processes instead of this one, such as
	// buildkit.At gives it; nil is this one. It has caches of its own.
	Remote func(engine.Local) (engine.Remote, error)
}

// Open gives a client with an engine on this machine. There is no daemon: the
// engine is part of this process, and shares the store with others.
func Open(ctx context.Context, o Options) (*Client, error) {
	if o.Terminal.Stdin == nil && o.Terminal.Stdout == nil {
		o.Terminal = embedded.Streams{Stdin: os.Stdin, Stdout: os.Stdout}
	}
	e, err := embedded.Open(ctx, embedded.Options{Store: o.Store, Terminal: o.Terminal, Record: !o.Forget, CacheFrom: o.CacheFrom, CacheTo: o.CacheTo, Remote: o.Remote})
	if err != nil {
		return nil, err
	}
	return NewClient(e, o.Events), nil
}

// NewClient gives a client of an engine. The client closes it.
func NewClient(e engine.Engine, events engine.Sink) *Client {
	if events == nil {
		events = engine.SinkFunc(func(engine.Event) {})
	}
	return &Client{engine: e, events: events}
}

// Engine gives the client's engine.
func (c *Client) Engine() engine.Engine { return c.engine }

// Begin gives a client of which all that it resolves is one run, asked for in
// these words. What it has made once it does not make again, nor read again from
// this machine. Close it at the end, before c; the run ends as its last value did.
func (c *Client) Begin(asked string) *Client {
	e, ok := c.engine.(*embedded.Engine)
	if !ok { // it has begun already, or remembers nothing
		return &Client{engine: lent{c.engine, func(context.Context) error { return nil }}, events: c.events}
	}
	run := e.Begin(asked)
	return &Client{engine: lent{run, func(ctx context.Context) error { return run.End(ctx, nil) }}, events: c.events}
}

// lent is the engine of another client, which is not closed with this one.
type lent struct {
	engine.Engine
	end func(context.Context) error
}

// Close ends the run.
func (l lent) Close(ctx context.Context) error { return l.end(ctx) }

// Close ends the use of the client.
func (c *Client) Close(ctx context.Context) error { return c.engine.Close(ctx) }

// Resolve makes what a node stands for. On a remote engine its tree may be a view:
// see [engine.Result].
func (c *Client) Resolve(ctx context.Context, n *graph.Node) (engine.Result, error) {
	if err := n.Check(); err != nil {
		return engine.Result{}, err
	}
	return c.engine.Resolve(ctx, n, c.events)
}

// Tree gives the directory as a tree.
func (d Directory) Tree(ctx context.Context, c *Client) (tree.Tree, error) {
	r, err := c.Resolve(ctx, d.Node())
	if err == nil {
		r, err = r.Known(ctx)
	}
	return r.Tree, err
}

// view gives the directory as a tree that may be a view, for who looks at names,
// attributes and contents alone.
func (d Directory) view(ctx context.Context, c *Client) (tree.Tree, error) {
	r, err := c.Resolve(ctx, d.Node())
	return r.Tree, err
}

// Digest gives the digest of all that the directory is. Equal directories have
// equal digests, however they were made.
func (d Directory) Digest(ctx context.Context, c *Client) (digest.Digest, error) {
	t, err := d.Tree(ctx, c)
	if err != nil {
		return digest.Digest{}, err
	}
	return t.Digest(), nil
}

// FS gives the directory as a file system of the standard library.
func (d Directory) FS(ctx context.Context, c *Client) (fs.FS, error) {
	t, err := d.view(ctx, c)
	if err != nil {
		return nil, err
	}
	return tree.FS(ctx, t, c.engine), nil
}

// Entries gives the names in the directory at a path, in bytewise order.
// Directories end in a slash.
func (d Directory) Entries(ctx context.Context, c *Client, at string) ([]string, error) {
	list, err := read(ctx, c, d, func(f fs.FS) ([]fs.DirEntry, error) { return fs.ReadDir(f, fsPath(at)) })
	if err != nil {
		return nil, named(err, "Entries", at)
	}
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.Name()
		if e.IsDir() {
			names[i] += "/"
		}
	}
	return names, nil
}

// Glob gives the paths that match a pattern, in which "**" stands for any
// number of names.
func (d Directory) Glob(ctx context.Context, c *Client, pattern string) ([]string, error) {
	var list []string
	err := c.lasting(ctx, d.Node(), func(r engine.Result) (err error) {
		list, err = compose.Glob(ctx, r.Tree, pattern)
		return err
	})
	return list, named(err, "Glob", pattern)
}

// Stat describes what a path leads to; symlinks are followed, but for a last
// one.
func (d Directory) Stat(ctx context.Context, c *Client, at string) (fs.FileInfo, error) {
	info, err := read(ctx, c, d, func(f fs.FS) (fs.FileInfo, error) { return fs.Lstat(f, fsPath(at)) })
	return info, named(err, "Stat", at)
}

// named gives an error with the call that it comes from; nil stays nil.
func named(err error, name string, args ...any) error {
	if err == nil {
		return nil
	}
	return &graph.CallError{Call: call(name, args...), Err: err}
}

func fsPath(p string) string {
	p = strings.TrimPrefix(path.Clean("/"+p), "/")
	if p == "" {
		return "."
	}
	return p
}

// Contents gives what the file holds.
func (f File) Contents(ctx context.Context, c *Client) ([]byte, error) {
	b, err := read(ctx, c, f.dir, func(view fs.FS) ([]byte, error) { return fs.ReadFile(view, fsPath(f.path)) })
	return b, named(err, "File", f.path)
}

// Export writes the directory to a place: "dir:PATH", "tar:FILE", an image.
func (d Directory) Export(ctx context.Context, c *Client, dest string, opts ...engine.ExportOptions) (engine.Exported, error) {
	return c.export(ctx, d.Node(), dest, opts)
}

// Export writes the container as an image to a place: "oci:DIR[:TAG]",
// "oci-archive:FILE", "docker-archive:FILE", a registry's reference; or its file
// system to "tar:FILE" or "dir:PATH".
func (c Container) Export(ctx context.Context, on *Client, dest string, opts ...engine.ExportOptions) (engine.Exported, error) {
	return on.export(ctx, c.Node(), dest, opts)
}

// Push writes the container as an image to a registry.
func (c Container) Push(ctx context.Context, on *Client, ref string, opts ...engine.ExportOptions) (engine.Exported, error) {
	if p, err := engine.ParsePlace(ref); err != nil || p.Scheme != engine.SchemeName {
		return engine.Exported{}, fmt.Errorf("push %s: want the reference of a registry, such as HOST/NAME:TAG", ref)
	}
	return on.export(ctx, c.Node(), ref, opts)
}

func (c *Client) export(ctx context.Context, n *graph.Node, dest string, opts []engine.ExportOptions) (engine.Exported, error) {
	to, err := engine.ParsePlace(dest)
	if err != nil {
		return engine.Exported{}, err
	}
	var o engine.ExportOptions
	if len(opts) > 0 {
		o = opts[0]
	}
	if o.Progress == nil {
		o.Progress = c.events
	}
	var out engine.Exported
	err = c.lasting(ctx, n, func(r engine.Result) (err error) {
		out, err = c.engine.Export(ctx, r, to, o)
		return err
	})
	return out, err
}

// ErrNoExec is the error of asking for the output of a container in which
// nothing ran.
var ErrNoExec = errors.New("no process ran in the container: use WithExec first")

// Stdout gives what the last process wrote to its standard output.
func (c Container) Stdout(ctx context.Context, on *Client) (string, error) {
	return c.output(ctx, on, func(e *engine.Exec) tree.File { return e.Stdout })
}

// Stderr gives what the last process wrote to its standard error.
func (c Container) Stderr(ctx context.Context, on *Client) (string, error) {
	return c.output(ctx, on, func(e *engine.Exec) tree.File { return e.Stderr })
}

// ExitCode gives the exit code of the last process. One that is a failure is an
// [ExecError] instead.
func (c Container) ExitCode(ctx context.Context, on *Client) (int, error) {
	r, err := on.Resolve(ctx, c.Node())
	if err != nil {
		return 0, err
	}
	if r.Exec == nil {
		return 0, ErrNoExec
	}
	return r.Exec.ExitCode, nil
}

func (c Container) output(ctx context.Context, on *Client, which func(*engine.Exec) tree.File) (string, error) {
	var b []byte
	err := on.lasting(ctx, c.Node(), func(r engine.Result) error {
		if r.Exec == nil {
			return ErrNoExec
		}
		f := which(r.Exec)
		if f.Size == 0 {
			b = nil
			return nil
		}
		rc, err := on.engine.OpenContent(ctx, f.Content)
		if err != nil {
			return err
		}
		defer rc.Close()
		b, err = io.ReadAll(rc)
		return err
	})
	return string(b), err
}
