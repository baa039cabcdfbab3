//go:build linux

package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Sweep removes what killed engines have left in a state directory, and the
// cgroups of their processes. What belongs to live engines is not touched. It
// returns how many processes it cleaned up after. A state directory that does
// not exist is clean.
func Sweep(stateDir string) (int, error) {
	stateDir, err := filepath.Abs(stateDir)
	if err != nil {
		return 0, err
	}
	entries, err := os.ReadDir(stateDir)
	if err != nil && !os.IsNotExist(err) {
		return 0, err
	}
	var errs []error
	swept := 0
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), prefix) || !entry.IsDir() {
			continue
		}
		p := &place{name: entry.Name(), dir: filepath.Join(stateDir, entry.Name())}
		locked, err := p.take()
		if err != nil {
			errs = append(errs, err)
		}
		if !locked {
			continue
		}
		if err := p.remove(); err != nil {
			errs = append(errs, err)
			continue
		}
		swept++
	}
	return swept, errors.Join(errs...)
}
