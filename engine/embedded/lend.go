package embedded

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/runtime"
)

// Lent is where the programs of a lent busybox are shown. It is not part of the
// tree, and nothing that is left has it.
const Lent = "/.inlay"

// ErrNoBusybox means that this machine has no busybox to lend.
var ErrNoBusybox = errors.New("no static busybox to lend: install one (Debian: busybox-static), or name one with $INLAY_BUSYBOX")

// lend shows a busybox to the process, and puts it behind all others of PATH.
func (e *Engine) lend(p *runtime.Process) error {
	dir, err := e.busybox()
	if err != nil {
		return err
	}
	p.Mounts = append(p.Mounts, runtime.Mount{Target: Lent, Source: dir, ReadOnly: true})
	p.Env = slices.Clone(p.Env)
	for i, v := range p.Env {
		if strings.HasPrefix(v, "PATH=") {
			p.Env[i] = v + ":" + Lent
			return nil
		}
	}
	p.Env = append(p.Env, "PATH="+Lent)
	return nil
}

// busybox gives a directory with a busybox and a link for each of its programs,
// which is made once.
func (e *Engine) busybox() (string, error) {
	file, err := findBusybox()
	if err != nil {
		return "", err
	}
	body, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	dir := e.cacheDir("busybox", digest.Of(body).Hex())
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	list, err := exec.Command(file, "--list").Output()
	if err != nil {
		return "", fmt.Errorf("%s does not list its programs: %w", file, err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	made, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	if err := errors.Join(os.Chmod(made, 0o755), os.WriteFile(filepath.Join(made, "busybox"), body, 0o755)); err != nil {
		return "", err
	}
	for name := range strings.FieldsSeq(string(list)) {
		if name == path.Base(name) && name != "busybox" {
			if err := os.Symlink("busybox", filepath.Join(made, name)); err != nil {
				return "", err
			}
		}
	}
	if err := os.Rename(made, dir); err != nil {
		if _, gone := os.Stat(dir); gone != nil { // and not made by somebody else meanwhile
			return "", err
		}
	}
	return dir, nil
}

// findBusybox finds a busybox that needs nothing but itself.
func findBusybox() (string, error) {
	candidates := []string{"/bin/busybox", "/usr/bin/busybox"}
	named := os.Getenv("INLAY_BUSYBOX")
	if named != "" {
		candidates = []string{named}
	}
	for _, file := range candidates {
		err := static(file)
		if err == nil {
			return file, nil
		}
		if named != "" {
			return "", fmt.Errorf("$INLAY_BUSYBOX: %s: %w", named, err)
		}
	}
	return "", ErrNoBusybox
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
		return errors.New("not a program")
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("not a static program: it needs libraries of this machine")
		}
	}
	return nil
}
