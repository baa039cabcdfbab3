//go:build !linux

package runtime

import (
	"context"
	"errors"
)

// Run needs Linux: elsewhere it returns an error that satisfies
// errors.Is(err, [errors.ErrUnsupported]).
func Run(context.Context, Config, Process) (Exit, error) {
	return Exit{}, unsupported()
}

// Sweep finds nothing where nothing can be run.
func Sweep(string) (int, error) { return 0, nil }

func unsupported() error {
	return errors.Join(errors.New("running a process needs Linux: use a BuildKit engine (--engine buildkit://ADDRESS)"), errors.ErrUnsupported)
}
