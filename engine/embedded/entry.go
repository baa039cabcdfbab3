package embedded

import (
	"context"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/tree"
)

func (s *step) newFile(ctx context.Context, op graph.NewFile, in engine.Result) (engine.Result, error) {
	f := tree.File{Attributes: tree.Attr{Mode: 0o644}, Size: int64(len(op.Content))}
	if f.Size > 0 {
		f.Content = s.run.contentOf(s.node, op)
		s.bring(f.Content)
	}
	return s.put(ctx, op.Path, f, op.Options, in)
}

// bring tells that the content of a new file came into the store for this step,
// if it did, and for no other before.
func (s *step) bring(d digest.Digest) {
	s.run.mu.Lock()
	size, ok := s.run.brought[d]
	delete(s.run.brought, d)
	s.run.mu.Unlock()
	if ok {
		s.event(engine.Written{Step: s.number, Blobs: size})
	}
}

// put puts one entry at a path.
func (s *step) put(ctx context.Context, at string, e tree.Entry, o graph.CopyOptions, in engine.Result) (engine.Result, error) {
	opts, err := s.copyOptions(ctx, o, in.Tree)
	if err != nil {
		return engine.Result{}, err
	}
	r, err := compose.Put(ctx, in.Tree, at, path.Base(path.Clean("/"+at)), e, opts)
	return s.composed(in, r, err)
}

func (s *step) newDirectory(ctx context.Context, op graph.NewDirectory, in engine.Result) (engine.Result, error) {
	opts, err := s.copyOptions(ctx, op.Options, in.Tree)
	if err != nil {
		return engine.Result{}, err
	}
	opts.Contents = true
	r, err := compose.Copy(ctx, in.Tree, op.Path, tree.Empty(), "/", opts)
	return s.composed(in, r, err)
}

func (s *step) symlink(ctx context.Context, op graph.Symlink, in engine.Result) (engine.Result, error) {
	o := op.Options
	o.Mode = ""
	l := tree.Symlink{Attributes: tree.Attr{Mode: 0o777}, Target: op.Target}
	opts, err := s.copyOptions(ctx, o, in.Tree)
	if err != nil {
		return engine.Result{}, err
	}
	opts.KeepLink = true
	// A link is put where it is named: one that is there is replaced.
	dir, name := path.Split(strings.TrimRight(op.Path, "/"))
	r, err := compose.Put(ctx, in.Tree, dir+"/", name, l, opts)
	return s.composed(in, r, err)
}

func (s *step) remove(ctx context.Context, op graph.Remove, in engine.Result) (engine.Result, error) {
	t, err := compose.Remove(ctx, in.Tree, op.Paths)
	in.Tree = t
	return in, err
}

func (s *step) sub(ctx context.Context, op graph.Sub, in engine.Result) (engine.Result, error) {
	t, err := compose.Subtree(ctx, in.Tree, op.Path)
	if err != nil {
		return engine.Result{}, err
	}
	return engine.Result{Tree: t, Config: image.NewConfig(image.HostPlatform()), Base: engine.Base{Tree: tree.Empty()}}, nil
}
