package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/inlaybuild/inlay/internal/treetest"
	"golang.org/x/sys/unix"
)

// workshop is where peers run, on a thread of [treetest.Apart].
type workshop struct {
	dir string
	// wait is how long a program may take before it counts as hanging.
	wait time.Duration
}

func (w workshop) at(name string) string { return filepath.Join(w.dir, name) }

// newWorkshop makes the kit: programs with their libraries and loader.
func newWorkshop(dir string, programs ...string) (workshop, error) {
	w := workshop{dir, 10 * time.Second}
	if err := os.MkdirAll(w.at("kit/lib"), 0o755); err != nil {
		return w, err
	}
	library := regexp.MustCompile(`(?m)(/\S+) \(0x`)
	for _, p := range programs {
		found, err := exec.LookPath(p)
		if err != nil {
			return w, err
		}
		said, err := exec.Command("ldd", found).Output()
		if err != nil {
			return w, fmt.Errorf("ldd %s: %w", found, err)
		}
		files := map[string]string{found: p}
		for _, m := range library.FindAllStringSubmatch(string(said), -1) {
			files[m[1]] = "lib/" + path.Base(m[1])
			if strings.HasPrefix(path.Base(m[1]), "ld-") {
				files[m[1]] = "loader"
			}
		}
		for from, to := range files {
			b, err := os.ReadFile(from)
			if err == nil {
				err = os.WriteFile(w.at("kit/"+to), b, 0o755)
			}
			if err != nil {
				return w, err
			}
		}
	}
	return w, nil
}

// errHangs is the error of a program that had to be killed.
var errHangs = errors.New("hangs")

// errNotPossible is the error of a copy that a program cannot be told to do.
var errNotPossible = errors.New("not possible")

// errProgram is the error of a program that says it failed.
type errProgram struct{ said string }

func (e *errProgram) Error() string { return e.said }

// run lets a peer carry a copy out, and gives what it made. The programs' own
// errors are among the errors above.
func (w workshop) run(p peer, c treetest.Case) (treetest.Listing, error) {
	j, err := newJob(c)
	if err != nil {
		return nil, err
	}
	commands := p.commands(j)
	if commands == nil {
		return nil, errNotPossible
	}
	defer os.RemoveAll(w.at("root"))
	defer os.RemoveAll(w.at("kit/src"))
	if err := treetest.Write(c.Dst, w.at("root")); err != nil {
		return nil, err
	}
	if err := treetest.Write(c.Src, w.at("kit/src")); err != nil {
		return nil, err
	}
	if err := os.Rename(w.at("kit"), w.at("root/"+kitName)); err != nil {
		return nil, err
	}
	// The C library changes modes by way of /proc.
	proc := w.at("root/proc")
	if err := os.Mkdir(proc, 0o755); err != nil {
		return nil, err
	}
	if err := unix.Mount("/proc", proc, "", unix.MS_BIND, ""); err != nil {
		return nil, err
	}
	var said error
	for _, c := range commands {
		if said = w.command(c); said != nil {
			break
		}
	}
	if err := errors.Join(unix.Unmount(proc, 0), os.Remove(proc), os.Rename(w.at("root/"+kitName), w.at("kit"))); err != nil {
		return nil, err
	}
	l, err := treetest.Read(w.at("root"))
	if err != nil {
		return nil, err
	}
	return l, said
}

func (w workshop) command(c []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), w.wait)
	defer cancel()
	kit := "/" + kitName
	cmd := exec.CommandContext(ctx, kit+"/loader", append([]string{"--library-path", kit + "/lib", kit + "/" + c[0]}, c[1:]...)...)
	cmd.Err = nil // the path is one in the chroot
	cmd.Dir = "/"
	cmd.Env = []string{"LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: w.at("root"), Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if ctx.Err() != nil {
		return errHangs
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &errProgram{reason(said.String())}
	}
	return err
}

// reason makes of what a program said the first thing, without its own name and
// the kit's paths.
func reason(said string) string {
	kit := "/" + kitName
	line, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	line = strings.NewReplacer(kit+"/src/", "/", kit+"/", "", kit, "").Replace(line)
	_, line, _ = strings.Cut(strings.ReplaceAll(line, "/./", "/"), ": ")
	return regexp.MustCompile(`^(\[\w+\] )?(ERROR: )?| \(code \d+\) at .*`).ReplaceAllString(line, "")
}
