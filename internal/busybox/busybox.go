// Package busybox finds a static busybox of this machine, and lends it to
// processes whose root has no shell.
package busybox

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/inlaybuild/inlay/digest"
)

// ErrNone means that this machine has no busybox to lend.
var ErrNone = errors.New("no static busybox on this machine to lend: install one (Debian: busybox-static), or name one with $INLAY_BUSYBOX")

// Find finds a busybox that needs nothing but itself: what $INLAY_BUSYBOX names,
// or else this machine's own. The error is [ErrNone] if there is none.
func Find() (string, error) {
	if named := os.Getenv("INLAY_BUSYBOX"); named != "" {
		if err := static(named); err != nil {
			return "", fmt.Errorf("$INLAY_BUSYBOX: %s: %w", named, err)
		}
		return named, nil
	}
	for _, file := range []string{"/bin/busybox", "/usr/bin/busybox"} {
		if static(file) == nil {
			return file, nil
		}
	}
	return "", ErrNone
}

// Directory gives a directory that has a busybox and a link for each of its
// programs. It is below cache, and made when it is not there.
func Directory(cache string) (string, error) {
	file, err := Find()
	if err != nil {
		return "", err
	}
	body, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, digest.Of(body).Hex())
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	list, err := exec.Command(file, "--list").Output()
	if err != nil {
		return "", fmt.Errorf("%s does not list its programs: %w", file, err)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	made, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	if err := fill(made, body, strings.Fields(string(list))); err != nil {
		return "", err
	}
	err = os.Rename(made, dir)
	if errors.Is(err, fs.ErrExist) { // somebody else was faster
		err = nil
	}
	return dir, err
}

// fill puts a busybox into a directory, under all of its names.
func fill(dir string, body []byte, names []string) error {
	const self = "busybox"
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, self), body, 0o755)); err != nil {
		return err
	}
	for _, name := range names {
		if name == self || name != path.Base(name) {
			continue
		}
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// static tells whether a program runs without the libraries of its machine.
func static(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return errors.Unwrap(err)
	}
	defer f.Close()
	e, err := elf.NewFile(f)
	if err != nil {
		return errors.New("it is no program")
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is no static program: it needs libraries of this machine")
		}
	}
	return nil
}
