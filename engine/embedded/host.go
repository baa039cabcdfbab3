package embedded

import (
	"context"
	"path/filepath"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

func (s *step) host(ctx context.Context, op graph.Host) (engine.Result, error) {
	e := s.engine()
	sv, err := e.save(ctx)
	if err != nil {
		return engine.Result{}, err
	}
	defer sv.ingest.Abort()
	o := capture.Options{
		Include:   op.Include,
		Exclude:   op.Exclude,
		Gitignore: op.Gitignore,
		CacheDir:  e.cacheDir("stat"),
		Progress:  s.progress().captured(op.Path),
	}
	if !op.KeepOwner {
		o.Owner = &capture.Owner{}
	}
	var t tree.Tree
	var stats capture.Stats
	if op.File {
		var one tree.Entry
		if one, stats, err = s.hostFile(ctx, op, bodies{e, sv.ingest}, o); err != nil {
			return engine.Result{}, err
		}
		d := tree.NewDraft(tree.Empty())
		d.Put(filepath.Base(op.Path), one)
		t, err = d.Tree(ctx)
	} else {
		t, stats, err = capture.Directory(ctx, op.Path, bodies{e, sv.ingest}, o)
	}
	if err != nil {
		return engine.Result{}, err
	}
	s.readFiles(stats)
	if err := sv.commit(ctx, store.Changes{}); err != nil {
		return engine.Result{}, err
	}
	s.progress().wrote(sv)
	return treeResult(t), nil
}

// readFiles notes whether files of this machine had to be read.
func (s *step) readFiles(stats capture.Stats) {
	s.cached = stats.ReadFiles == 0 && stats.Files > 0
	if stats.ReadFiles > 0 {
		s.uncached(engine.FilesChanged, "%d of %d files were read, as they are new or changed of late", stats.ReadFiles, stats.Files)
	}
}

// hostFile reads a file of this machine, or the symlink that it is.
func (s *step) hostFile(ctx context.Context, op graph.Host, sink capture.Sink, o capture.Options) (tree.Entry, capture.Stats, error) {
	if op.KeepLink {
		if l, ok, err := capture.Symlink(op.Path, o); ok || err != nil {
			return l, capture.Stats{}, err
		}
	}
	return capture.File(ctx, op.Path, sink, o)
}
