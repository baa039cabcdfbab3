package shim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// Spec says what [Exec] runs. Strings are of any bytes but NUL.
type Spec struct {
	Args []string // program and arguments; a program without a slash is looked up in Env's PATH
	Env  []string // as "NAME=value": all that the process gets, but for SecretEnv
	Dir  string   // working directory, absolute; "" is "/"; one that does not exist is created, and stays
	User User

	// Stdin is the path of the file that has what the process reads; "" is
	// nothing. The process gets a pipe, not the file.
	Stdin string

	// Root is what the root's attributes are before the process starts; nil leaves
	// them. A daemon gives a fresh mount others than the tree below it has.
	Root *tree.Attr
	// Mounts is what the attributes of directories are that are mounts, by path, for the
	// same reason.
	Mounts map[string]tree.Attr
	// Made is directories that a daemon made on the way to mount points, those above
	// first. Where the root is above, they were made before it had its attributes.
	Made []string
	// Times is when other directories were modified, by their paths, as the process
	// finds them: a daemon that makes mount points in them changes that. All these paths
	// are rooted and clean, and go through no symlink.
	Times map[string]tree.Time

	// SecretEnv names variables of the program's own environment that the process
	// gets, too, and whose values are masked in its output.
	SecretEnv []string
	// SecretFiles are paths of files whose contents are masked.
	SecretFiles []string
}

// User is who a process is, in numbers.
type User struct {
	UID, GID uint32
	Groups   []uint32 // supplementary groups
}

// specFile is a Spec as it is written down: JSON, with all that may be any bytes as
// base64.
type specFile struct {
	Version     int
	Args        [][]byte
	Env         [][]byte `json:",omitempty"`
	Dir         []byte   `json:",omitempty"`
	User        User
	Stdin       []byte       `json:",omitempty"`
	Root        []byte       `json:",omitempty"` // as in a list of changes
	Mounts      []attrOfPath `json:",omitempty"`
	Made        [][]byte     `json:",omitempty"`
	Times       []timeOf     `json:",omitempty"`
	SecretEnv   [][]byte     `json:",omitempty"`
	SecretFiles [][]byte     `json:",omitempty"`
}

// attrOfPath is the attributes of a directory.
type attrOfPath struct {
	Path []byte
	Attr []byte // as in a list of changes
}

// timeOf is when a directory was modified.
type timeOf struct {
	Path []byte
	Sec  int64
	Nsec uint32
}

// Encode gives the file for [Exec].
func (s Spec) Encode() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	var root []byte
	if s.Root != nil {
		root = appendAttr(nil, *s.Root)
	}
	var times []timeOf
	for _, p := range slices.Sorted(maps.Keys(s.Times)) {
		times = append(times, timeOf{[]byte(p), s.Times[p].Sec, s.Times[p].Nsec})
	}
	var mounts []attrOfPath
	for _, p := range slices.Sorted(maps.Keys(s.Mounts)) {
		mounts = append(mounts, attrOfPath{[]byte(p), appendAttr(nil, s.Mounts[p])})
	}
	return json.Marshal(specFile{
		Root: root, Mounts: mounts, Made: list[[]byte](s.Made), Times: times, Version: Version, Args: list[[]byte](s.Args), Env: list[[]byte](s.Env), Dir: []byte(s.Dir), User: s.User,
		Stdin: []byte(s.Stdin), SecretEnv: list[[]byte](s.SecretEnv), SecretFiles: list[[]byte](s.SecretFiles),
	})
}

// DecodeSpec reads a file that [Spec.Encode] made.
func DecodeSpec(b []byte) (Spec, error) {
	var f specFile
	if err := json.Unmarshal(b, &f); err != nil {
		return Spec{}, fmt.Errorf("malformed: %w", err)
	}
	if err := checkVersion(f.Version); err != nil {
		return Spec{}, err
	}
	s := Spec{
		Args: list[string](f.Args), Env: list[string](f.Env), Dir: string(f.Dir), User: f.User,
		Stdin: string(f.Stdin), Made: list[string](f.Made), SecretEnv: list[string](f.SecretEnv), SecretFiles: list[string](f.SecretFiles),
	}
	for _, t := range f.Times {
		if s.Times == nil {
			s.Times = map[string]tree.Time{}
		}
		s.Times[string(t.Path)] = tree.Time{Sec: t.Sec, Nsec: t.Nsec}
	}
	for _, m := range f.Mounts {
		a, err := decodeAttr(m.Attr)
		if err != nil {
			return s, err
		}
		if s.Mounts == nil {
			s.Mounts = map[string]tree.Attr{}
		}
		s.Mounts[string(m.Path)] = a
	}
	if f.Root != nil {
		a, err := decodeAttr(f.Root)
		if err != nil {
			return s, err
		}
		s.Root = &a
	}
	return s, s.check()
}

// decodeAttr reads attributes as a list of changes has them.
func decodeAttr(b []byte) (tree.Attr, error) {
	d := &changeReader{r: bufio.NewReader(bytes.NewReader(b))}
	a := d.attr()
	return a, d.err
}

func checkVersion(v int) error {
	if v != Version {
		return fmt.Errorf("it is of version %d and %s of version %d: use those of the same build", v, Program, Version)
	}
	return nil
}

// list converts between strings and bytes.
func list[To, From []byte | string](from []From) []To {
	if from == nil {
		return nil
	}
	to := make([]To, len(from))
	for i, s := range from {
		to[i] = To(s)
	}
	return to
}

// check refuses what the kernel would cut or misread.
func (s Spec) check() error {
	if len(s.Args) == 0 || s.Args[0] == "" {
		return errors.New("nothing to run: give a program and its arguments")
	}
	for _, l := range [][]string{s.Args, s.Env, {s.Dir, s.Stdin}, s.SecretEnv, s.SecretFiles} {
		for _, v := range l {
			if strings.IndexByte(v, 0) >= 0 {
				return fmt.Errorf("%q: an argument, a variable or a path contains a NUL byte, which no process can be given", s.Args[0])
			}
		}
	}
	for _, env := range s.Env {
		if strings.IndexByte(env, '=') < 1 {
			return fmt.Errorf("environment variable %q: want NAME=value", env)
		}
	}
	for _, name := range s.SecretEnv {
		if name == "" || strings.IndexByte(name, '=') >= 0 {
			return fmt.Errorf("secret environment variable %q: want a name", name)
		}
	}
	if s.Root != nil {
		if err := checkAttr("/", *s.Root); err != nil {
			return err
		}
	}
	for p, t := range s.Times {
		if err := checkPath(p); err != nil {
			return err
		}
		if err := checkAttr(p, tree.Attr{ModTime: t}); err != nil {
			return err
		}
	}
	for _, p := range s.Made {
		if err := checkPath(p); err != nil {
			return err
		}
	}
	for p, a := range s.Mounts {
		if err := checkPath(p); err != nil {
			return err
		}
		if err := checkAttr(p, a); err != nil {
			return err
		}
	}
	if s.Dir != "" && !path.IsAbs(s.Dir) {
		return fmt.Errorf("working directory %q: want an absolute path", s.Dir)
	}
	return nil
}
