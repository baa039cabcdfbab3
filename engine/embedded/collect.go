package embedded

import (
	"context"
	"fmt"

	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/internal/store"
)

// Collect removes from the store what nobody names or uses, and what killed
// processes left: mounts, state, secrets in memory. Others can work meanwhile.
func (e *Engine) Collect(ctx context.Context, o store.GCOptions) (store.GCReport, error) {
	if err := e.sweep(ctx); err != nil {
		return store.GCReport{}, err
	}
	return e.store.GC(ctx, o)
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
