// Package program tells why the kernel does not execute a program, from the tree
// that it was to be executed in.
//
//   - A [View] is what a process sees: a tree, and what is mounted in it.
//   - A [Process] is what was to be run.
//   - [Explain] gives the [Why] of a failure that happened, or nothing.
//   - [Trail] tells what a path leads through in a tree.
//
// The package is a model of execve(2) as Linux has it (fs/namei.c, fs/exec.c,
// fs/binfmt_script.c, fs/binfmt_elf.c), over values: nothing of the machine is
// consulted. The kernel is asked in the tests whether the model is right.
package program

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"github.com/inlaybuild/inlay/tree"
)

// View is what a process sees.
type View struct {
	Root     tree.Tree
	Contents tree.Contents // of the files of all trees
	Mounts   []Mount       // in the order in which they are made
}

// Mount is what is shown at a path instead of what the tree has there. The target
// and its parents come to exist if they do not.
type Mount struct {
	Target string
	What   string     // what it is, for people: "a temporary directory"
	Entry  tree.Entry // what it shows; nil if that is not known
}

// Process is what was to be run.
type Process struct {
	Name   string   // the program, as it was asked for
	Path   string   // $PATH
	Dir    string   // the working directory; created if it does not exist. "" is /
	UID    uint32   // 0 may do all that root may
	Groups []uint32 // the primary one, and the others
	Arch   string   // of the kernel, as GOARCH; "" is that of this program
}

// Explain says why a process did not start, given what the kernel said: a
// syscall.Errno, exec.ErrNotFound when no directory of PATH has the program,
// exec.ErrDot when one that is not absolute has it. Nil means that the view does
// not explain just that: a Why is never a guess. The errors are those of reading
// the trees.
//
// It looks at each path that the kernel looks at, reads at most 64 KiB of each
// file, and for a program that is missing a few directories more.
func Explain(ctx context.Context, v View, p Process, said error) (*Why, error) {
	c, err := newCase(ctx, v, p)
	if err != nil {
		return nil, err
	}
	c.said = said
	w, err := c.explain()
	if errors.Is(err, errUnknown) {
		return nil, nil
	}
	return w, err
}

func (c *explainer) explain() (*Why, error) {
	w, err := c.predict()
	if err != nil && !errors.Is(err, errUnknown) {
		return nil, err
	}
	if w != nil && c.said != nil && !errors.Is(c.said, w.Err) {
		w = nil
	}
	unseen := err != nil && c.unseen && (errors.Is(c.said, syscall.ENOENT) || errors.Is(c.said, exec.ErrNotFound))
	if unseen || w != nil && (w.Cause == Missing || w.Cause == NotInPath || w.Cause == NotDirectory) {
		hidden, err := c.hidden(w)
		if err != nil || hidden != nil {
			return hidden, err
		}
	}
	if w != nil && (w.Cause == Missing || w.Cause == NotInPath) {
		return w, c.suggest(w)
	}
	return w, nil
}

// ExplainDirectory says why a process cannot go to its working directory: nil
// when the view does not explain it. The errors are those of reading the trees.
func ExplainDirectory(ctx context.Context, v View, p Process) (*Why, error) {
	c, err := newCase(ctx, v, p)
	if err != nil || c.cwdFault == nil {
		return nil, err
	}
	w := c.fault(subject{role: WorkingDirectory, path: p.Dir}, c.cwdFault)
	return w, nil
}

// errUnknown means that what the kernel sees is not known here.
var errUnknown = errors.New("not known")

// maxScripts is how many scripts may be the interpreters of one another.
const maxScripts = 5

// newCase looks at the mounts and at the working directory.
func newCase(ctx context.Context, v View, p Process) (*explainer, error) {
	if p.Arch == "" {
		p.Arch = runtime.GOARCH
	}
	if p.Dir == "" {
		p.Dir = "/"
	}
	c := &explainer{walker: walker{ctx: ctx, view: v, uid: p.UID, groups: p.Groups}, process: p}
	if err := c.mount(); err != nil {
		return nil, err
	}
	var err error
	c.cwd, c.cwdFault, err = c.makeDirectory(p.Dir)
	return c, err
}

// explainer is one process that did not start.
type explainer struct {
	walker
	process  Process
	said     error
	cwd      *place
	cwdFault *fault
}

// predict says what the kernel says to the process; nil if it starts.
func (c *explainer) predict() (*Why, error) {
	if c.cwdFault != nil {
		return c.fault(subject{role: WorkingDirectory, path: c.process.Dir}, c.cwdFault), nil
	}
	if c.cwd == nil {
		return nil, errUnknown
	}
	name := c.process.Name
	if !strings.Contains(name, "/") {
		found, w, err := c.search(name)
		if err != nil || w != nil {
			return w, err
		}
		name = found
	}
	return c.execute(subject{role: Program, path: name})
}

// execute follows the program to its interpreters, as execve(2) does.
func (c *explainer) execute(s subject) (*Why, error) {
	for scripts := 0; ; scripts++ {
		f, w, err := c.open(s)
		if err != nil || w != nil {
			return w, err
		}
		if scripts > maxScripts {
			return c.why(s, syscall.ELOOP, TooManyInterpreters, f.at.path, ""), nil
		}
		head, err := f.read(c.ctx, 0, headSize)
		if err != nil {
			return nil, err
		}
		s.file = f
		if !isScript(head) {
			return c.binary(s, head)
		}
		line, problem := parseScript(head)
		if problem != nil {
			return c.why(s, syscall.ENOEXEC, BadScript, f.at.path, problem.Error()), nil
		}
		if line.interpreter == "" { // which names the working directory
			return c.why(s, syscall.EACCES, BadScript, f.at.path, "has a NUL byte where the name of its interpreter should be"), nil
		}
		s = subject{role: Interpreter, path: line.interpreter, of: s.path}
	}
}

// open finds a file that may be executed, as do_open_execat of the kernel does.
func (c *explainer) open(s subject) (*file, *Why, error) {
	at, bad, err := c.resolve(c.cwd, s.path)
	if err != nil {
		return nil, nil, err
	}
	if bad != nil {
		return nil, c.fault(s, bad), nil
	}
	e, isFile := at.entry.(tree.File)
	if !isFile {
		cause := NotRegular
		if at.entry.Kind() == tree.KindDirectory {
			cause = IsDirectory
		}
		return nil, c.why(s, syscall.EACCES, cause, at.path, at.entry.Kind().String()), nil
	}
	ok, err := c.may(at.entry)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		w := c.why(s, syscall.EACCES, NotExecutable, at.path, "")
		w.Mode = e.Attributes.Mode
		c.sayMode(w, e.Attributes)
		return nil, w, nil
	}
	return &file{at: at, entry: e, contents: c.view.Contents}, nil, nil
}

// Asks tells what a program that ended with the code 127 asked for in vain: a
// script that begins with "#!/usr/bin/env NAME", for a NAME that no directory of
// PATH has. Nil if it is no such script. The errors are those of reading the
// trees.
func Asks(ctx context.Context, v View, p Process) (*Why, error) {
	c, err := newCase(ctx, v, p)
	if err != nil || c.cwdFault != nil || c.cwd == nil {
		return nil, err
	}
	w, err := c.asks()
	if errors.Is(err, errUnknown) {
		return nil, nil
	}
	return w, err
}

func (c *explainer) asks() (*Why, error) {
	s := subject{role: Program, path: c.process.Name}
	if !strings.Contains(s.path, "/") {
		found, w, err := c.search(s.path)
		if err != nil || w != nil {
			return nil, err
		}
		s.path = found
	}
	f, w, err := c.open(s)
	if err != nil || w != nil {
		return nil, err
	}
	head, err := f.read(c.ctx, 0, headSize)
	if err != nil || !isScript(head) {
		return nil, err
	}
	line, problem := parseScript(head)
	name, ok := line.envName()
	if problem != nil || !ok {
		return nil, nil
	}
	_, w, err = c.search(name)
	if err != nil || w == nil || !errors.Is(w.Err, exec.ErrNotFound) {
		return nil, err
	}
	return c.sayEnv(s, f, name, w), nil
}
