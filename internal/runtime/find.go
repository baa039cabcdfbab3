package runtime

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Program is the name of the program that runs processes.
const Program = "inlay-runc"

// Find gives the path of the program inlay-runc. It looks at $INLAY_RUNC,
// beside the running executable, in ../libexec/inlay from there, and in $PATH.
// Its error satisfies errors.Is(err, [ErrNotFound]) and says how to get it. It
// costs a few stat calls.
func Find() (string, error) {
	if path := os.Getenv("INLAY_RUNC"); path != "" {
		if err := executable(path); err != nil {
			return "", fmt.Errorf("%w: $INLAY_RUNC: %w", ErrNotFound, err)
		}
		return filepath.Abs(path)
	}
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		dir := filepath.Dir(self)
		for _, path := range []string{
			filepath.Join(dir, Program),
			filepath.Join(dir, "..", "libexec", "inlay", Program),
		} {
			if executable(path) == nil {
				return path, nil
			}
		}
	}
	if path, err := exec.LookPath(Program); err == nil {
		return filepath.Abs(path)
	}
	return "", fmt.Errorf("%w: build it beside inlay (on Debian with libseccomp-dev, gcc and pkg-config installed: "+
		"go build -tags seccomp -o bin/ ./internal/runtime/%s), or set $INLAY_RUNC to its path", ErrNotFound, Program)
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s: not an executable file", path)
	}
	return nil
}
