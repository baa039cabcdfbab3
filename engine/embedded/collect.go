package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/internal/store"
)

// Collect removes from the store what nobody names or uses, and what killed
// processes left: mounts, state, secrets in memory. Others can work meanwhile.
// Limits of runs that o does not have are those of the engine's [Options].
func (e *Engine) Collect(ctx context.Context, o store.GCOptions) (store.GCReport, error) {
	if err := e.sweep(ctx); err != nil {
		return store.GCReport{}, err
	}
	keep := e.keepRuns()
	if o.KeepRuns == 0 {
		o.KeepRuns = keep.KeepRuns
	}
	if o.KeepLogs == 0 {
		o.KeepLogs = keep.KeepLogs
	}
	r, err := e.store.GC(ctx, o)
	if err == nil && r.Results > 0 {
		err = e.forget()
	}
	if err == nil && o.KeepBytes < 0 { // nothing is to be kept that is not named
		err = e.removeCorrupt()
	}
	return r, err
}

// forget notes that results were removed, and what was remembered of execs with
// them.
func (e *Engine) forget() error {
	if err := os.MkdirAll(e.cacheDir(), 0o700); err != nil {
		return err
	}
	return os.WriteFile(e.cacheDir(forgotten), nil, 0o600)
}

// forgotten is the file whose time says when results were last removed.
const forgotten = "results-removed"

// forgot tells whether results were ever removed from the store.
func (e *Engine) forgot() bool {
	_, err := os.Stat(e.cacheDir(forgotten))
	return err == nil
}

// removeCorrupt removes what Fsck set aside.
func (e *Engine) removeCorrupt() error {
	dir := filepath.Join(e.store.Dir(), "corrupt")
	list, err := os.ReadDir(dir)
	for _, entry := range list {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}

// sweep takes away what killed processes left outside of the store's own files.
// Mounts go first: entries of roots/ that have one cannot be removed.
func (e *Engine) sweep(ctx context.Context) error {
	sweepSecrets()
	if _, err := checkout.Sweep(ctx, e.store.Roots()); err != nil {
		return fmt.Errorf("clear up after dead processes: %w", err)
	}
	if _, err := runtime.Sweep(e.stateDir()); err != nil {
		return fmt.Errorf("clear up after dead processes: %w", err)
	}
	return nil
}
