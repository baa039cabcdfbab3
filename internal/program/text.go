package program

import (
	"fmt"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"syscall"

	"github.com/inlaybuild/inlay/tree"
)

// name names a path in a message: what it is there for, and the place that it
// leads to where that is another one.
func (c *explainer) name(s subject, at string) string {
	text := quoted(s.path)
	if at != "" && at != path.Clean(s.path) && path.IsAbs(s.path) {
		text += " (" + quoted(at) + ")"
	}
	return s.prefix() + text + s.suffix(c.process.Name)
}

func (s subject) prefix() string {
	switch s.role {
	case Interpreter:
		return "its interpreter "
	case Loader:
		return "its ELF interpreter "
	case WorkingDirectory:
		return "the working directory "
	}
	return ""
}

func (s subject) suffix(program string) string {
	switch {
	case s.role == Interpreter:
		return " (first line of " + quoted(s.of) + ")"
	case s.role == Loader && s.of != program && path.Base(s.of) != program:
		return " (of " + quoted(s.of) + ")"
	}
	return ""
}

// quoted gives a path as it is, or in quotes if that would mislead.
func quoted(s string) string {
	const most = 300
	if len(s) > most {
		s = s[:most] + "..."
	}
	if q := strconv.Quote(s); len(q) != len(s)+2 || strings.ContainsAny(s, " ,;:()") || s == "" {
		return q
	}
	return s
}

func (f *fault) cause() Cause {
	switch f.errno {
	case syscall.ENOTDIR:
		return NotDirectory
	case syscall.ELOOP:
		return Loop
	case syscall.EACCES:
		return NotSearchable
	case syscall.ENAMETOOLONG:
		return TooLong
	}
	return Missing
}

// sayFault writes the message of a path that leads nowhere.
func (c *explainer) sayFault(w *Why, s subject, f *fault) {
	if s.role == Interpreter && strings.HasSuffix(s.path, "\r") && f.errno == syscall.ENOENT {
		w.Cause = DOSLine
		w.Text = fmt.Sprintf("the first line of %s ends in a carriage return (DOS line endings), so its interpreter would be %q, which does not exist", quoted(s.of), s.path)
		w.Hint = `write its lines with \n alone (dos2unix)`
		return
	}
	name := s.prefix() + quoted(s.path) + s.suffix(c.process.Name)
	switch w.Cause {
	case Missing, NotDirectory:
		w.Text = name + " does not exist"
		if s.role == WorkingDirectory {
			w.Text = name + " cannot be entered"
		}
		if says := f.words(s.path); says != "" {
			w.Text += ": " + says
		}
		if f.mount != nil {
			w.Text += "; " + f.mount.words() + " is mounted at " + quoted(f.mount.Target)
		}
		if s.role == Loader {
			w.Hint = "put the C library that it was linked with there, or use a program that is linked statically"
		}
	case Loop:
		w.Text = name + " leads nowhere: " + (&tree.LoopError{Hops: f.hops}).Error()
	case NotSearchable:
		a := f.entry.Attr()
		w.Text = fmt.Sprintf("%s cannot be reached by user %d: the directory %s has mode %04o and belongs to %d:%d", name, c.uid, quoted(f.at), a.Mode, a.UID, a.GID)
	case TooLong:
		w.Text = name + " is too long a path: a name may have 255 bytes, a path 4095"
	}
}

// words says why a path leads nowhere; "" if there is nothing to say but that it
// does not exist.
func (f *fault) words(asked string) string {
	here := func() string {
		switch {
		case f.errno == syscall.ENOTDIR && f.entry != nil:
			return fmt.Sprintf("%s is a %s, not a directory", quoted(f.at), f.entry.Kind())
		case f.errno == syscall.EACCES:
			return "the directory " + quoted(f.at) + " cannot be searched by this user"
		case f.errno == syscall.ELOOP:
			return (&tree.LoopError{Hops: f.hops}).Error()
		case f.errno == syscall.ENAMETOOLONG:
			return "it is too long"
		}
		return quoted(f.at) + " does not exist"
	}
	if f.errno == syscall.ELOOP {
		return here()
	}
	if len(f.hops) == 0 {
		if f.errno == syscall.ENOENT && f.at == path.Clean("/"+asked) {
			return ""
		}
		return here()
	}
	var b strings.Builder
	for i, h := range f.hops {
		if i >= 3 && i < len(f.hops)-1 {
			continue
		}
		fmt.Fprintf(&b, "%s is a symlink to %s, ", quoted(h.Path), quoted(h.Target))
	}
	return b.String() + "and " + here()
}

// sayMode writes the message of a file without the permission.
func (c *explainer) sayMode(w *Why, a tree.Attr) {
	s := subject{role: w.Role, path: w.Path, of: w.Of}
	if a.Mode&0o111 == 0 {
		w.Text = fmt.Sprintf("%s has no x bit (mode %04o)", c.name(s, w.At), a.Mode)
		return
	}
	w.Text = fmt.Sprintf("%s is not executable for user %d (mode %04o, owner %d:%d)", c.name(s, w.At), c.uid, a.Mode, a.UID, a.GID)
}

func (c *explainer) sayMachine(s subject, errno syscall.Errno, head []byte) *Why {
	w := c.why(s, errno, OtherMachine, s.file.at.path, "")
	is := describe(head)
	if is == c.process.Arch {
		w.Text = c.name(s, w.At) + " is a damaged program for " + is
		return w
	}
	w.Text = fmt.Sprintf("%s is a program for %s, and this machine is %s", c.name(s, w.At), is, c.process.Arch)
	return w
}

func (c *explainer) sayRelative(s subject, dir string, at *place) *Why {
	w := c.why(s, exec.ErrDot, RelativePath, at.path, "")
	w.Text = fmt.Sprintf("it is found as %s by the directory %q of PATH, which is not absolute", quoted(at.path), dir)
	w.Hint = "put absolute directories into PATH, or give the path"
	return w
}

func (c *explainer) sayNotInPath(name string, bad []badDirectory) *Why {
	w := c.why(subject{role: Program, path: name}, exec.ErrNotFound, NotInPath, "", "")
	w.Text = quoted(name) + " is in no directory of PATH (" + strings.TrimSpace(c.process.Path) + ")"
	for dir := range strings.SplitSeq(c.process.Path, ":") {
		w.Tried = append(w.Tried, path.Join("/", c.cwd.path, dir, name))
		if path.IsAbs(dir) {
			w.Tried[len(w.Tried)-1] = path.Join(dir, name)
		}
	}
	var missing, others []string
	for _, b := range bad {
		if b.why == "" {
			missing = append(missing, quoted(b.path))
		} else {
			others = append(others, "; "+quoted(b.path)+" "+b.why)
		}
	}
	if len(missing) == 1 {
		w.Text += ", of which " + missing[0] + " does not exist"
	} else if len(missing) > 1 {
		w.Text += ", of which " + strings.Join(missing, ", ") + " do not exist"
	}
	w.Text += strings.Join(others, "")
	return w
}

func (c *explainer) sayHidden(s subject, m *mounted, at string, err error) *Why {
	w := c.why(s, err, Hidden, m.at, "")
	w.Text = fmt.Sprintf("%s is hidden: %s is mounted at %s", c.name(s, at), m.words(), quoted(m.Target))
	w.Hint = "mount it elsewhere"
	return w
}

func (c *explainer) sayEnv(s subject, f *file, name string, w *Why) *Why {
	w.Role, w.Of = Interpreter, s.path
	if strings.HasSuffix(name, "\r") {
		w.Cause = DOSLine
		w.Text = fmt.Sprintf("the first line of %s ends in a carriage return (DOS line endings), so it asks env for %q, which is in no directory of PATH", c.name(s, f.at.path), name)
		w.Hint = `write its lines with \n alone (dos2unix)`
		return w
	}
	w.Text = fmt.Sprintf("the first line of %s asks env for %s", c.name(s, f.at.path), w.Text[strings.Index(w.Text, quoted(name)):])
	w.Text = strings.Replace(w.Text, quoted(name)+" is in", quoted(name)+", which is in", 1)
	return w
}
