package inlay

import (
	"context"
	"errors"
	"io/fs"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

// ExportCache writes what this client's engine made or found to the caches of
// [Options].CacheTo, for other machines. Without any it does nothing.
func (c *Client) ExportCache(ctx context.Context) error {
	e := c.engine
	if l, ok := e.(lent); ok {
		e = l.Engine
	}
	x, ok := e.(interface {
		ExportCache(ctx context.Context, s engine.Sink) ([]engine.CacheExported, error)
	})
	if !ok {
		return errors.New("this engine writes no caches")
	}
	_, err := x.ExportCache(ctx, c.events)
	return err
}

// mostLosses is how many caches may be lost while a value is read.
const mostLosses = 8

// lasting calls f with what a node comes to, and again if a part of that was lost
// with a cache: then it is made.
func (c *Client) lasting(ctx context.Context, n *graph.Node, f func(engine.Result) error) error {
	var err error
	for range mostLosses {
		var r engine.Result
		if r, err = c.Resolve(ctx, n); err != nil {
			return err
		}
		if err = f(r); !errors.Is(err, engine.ErrLost) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// read reads something of a directory.
func read[T any](ctx context.Context, c *Client, d Directory, f func(fs.FS) (T, error)) (out T, err error) {
	err = c.lasting(ctx, d.Node(), func(r engine.Result) (err error) {
		out, err = f(tree.FS(ctx, r.Tree, c.engine))
		return err
	})
	return out, err
}
