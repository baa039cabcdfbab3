package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// ErrNotFound means that there is no program inlay-shim for an architecture; see
// [Find].
var ErrNotFound = errors.New("inlay-shim not found")

// Find gives the path of the program for an architecture, as Go names it. For the
// machine's own it is $INLAY_SHIM, or inlay-shim beside the running executable or
// in ../libexec/inlay from there. For another one it is the same with the
// architecture behind it: inlay-shim-arm64. Its error satisfies errors.Is(err,
// [ErrNotFound]) and says how to get it.
func Find(arch string) (string, error) {
	suffix := ""
	if arch != runtime.GOARCH {
		suffix = "-" + arch
	}
	if path := os.Getenv("INLAY_SHIM"); path != "" {
		if err := regular(path + suffix); err != nil {
			return "", fmt.Errorf("%w: $INLAY_SHIM: %w", ErrNotFound, err)
		}
		return filepath.Abs(path + suffix)
	}
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		dir := filepath.Dir(self)
		for _, path := range []string{
			filepath.Join(dir, Program+suffix),
			filepath.Join(dir, Program+"-"+arch),
			filepath.Join(dir, "..", "libexec", "inlay", Program+suffix),
		} {
			if regular(path) == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%w: build it beside inlay (CGO_ENABLED=0 GOOS=linux GOARCH=%s go build -o bin/%s ./cmd/inlay-shim), "+
		"or set $INLAY_SHIM to its path", ErrNotFound, arch, Program+suffix)
}

// regular tells whether a file can be given to a daemon. It need not be executable
// here.
func regular(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: not a file", path)
	}
	return nil
}
