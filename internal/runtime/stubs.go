//go:build linux

package runtime

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// stubs are the mount points that a root lacked: empty directories and files,
// made before the process starts and removed after it ended. Their parents keep
// their modification times, so that a capture of the root sees nothing of them.
//
// Every path is walked from the root's own descriptor, symlink by symlink, as a
// process inside would; descriptors of the parents are held in between, so that
// what the process did to the names meanwhile does not matter.
type stubs struct {
	root  int
	made  []stub
	taken []string // places that are covered by a mount
}

// stub is one name that was made.
type stub struct {
	parent int // descriptor, ours to close
	name   string
	stat   unix.Stat_t
}

const dirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// makeStubs makes what mounts need in root. What it cannot make it leaves to
// runc to complain about.
func makeStubs(root string, mounts []specs.Mount) (*stubs, error) {
	fd, err := unix.Open(root, dirFlags&^unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("root %s: %w", root, err)
	}
	s := &stubs{root: fd}
	for _, m := range mounts {
		place, err := s.resolve(m.Destination)
		if err != nil {
			s.remove()
			return nil, fmt.Errorf("mount point %s: %w", m.Destination, err)
		}
		if s.covered(place) {
			continue
		}
		s.taken = append(s.taken, place)
		file, err := isFile(m)
		if err == nil {
			err = s.make(place, file)
		}
		if err != nil {
			s.remove()
			return nil, fmt.Errorf("mount point %s: %w", m.Destination, err)
		}
	}
	return s, nil
}

func isFile(m specs.Mount) (bool, error) {
	if m.Type != "bind" {
		return false, nil
	}
	var stat unix.Stat_t
	if err := unix.Stat(m.Source, &stat); err != nil {
		return false, fmt.Errorf("%s: %w", m.Source, err)
	}
	return stat.Mode&unix.S_IFMT != unix.S_IFDIR, nil
}

func (s *stubs) covered(place string) bool {
	return slices.ContainsFunc(s.taken, func(mount string) bool {
		return place == mount || strings.HasPrefix(place, mount+"/")
	})
}

// resolve gives the place that name names in the root, without symlinks,
// relative to the root ("." for the root itself). Components that do not exist
// are taken as they are, but nothing is above one, nor above a file.
func (s *stubs) resolve(name string) (string, error) {
	todo := strings.Split(name, "/")
	at := "."
	for links := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if err := s.isDirectory(at); err != nil {
				return "", err
			}
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		if s.covered(next) { // what is below a mount is not the root's
			at = next
			continue
		}
		target, err := s.readlink(next)
		if err != nil {
			return "", err
		}
		if target == "" {
			at = next
			continue
		}
		if links++; links > 40 {
			return "", unix.ELOOP
		}
		if strings.HasPrefix(target, "/") {
			at = "."
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return at, nil
}

// isDirectory is an error unless a directory is at place, or something is mounted there.
func (s *stubs) isDirectory(place string) error {
	if s.covered(place) {
		return nil
	}
	fd, err := s.open(place, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// readlink gives the target of the symlink at place, "" when there is none.
func (s *stubs) readlink(place string) (string, error) {
	fd, err := s.open(place, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if errors.Is(err, unix.ENOENT) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", target)
	switch {
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL):
		return "", nil // not a symlink
	case err != nil:
		return "", err
	}
	return string(target[:n]), nil
}

func (s *stubs) open(place string, flags int) (int, error) {
	for {
		fd, err := unix.Openat2(s.root, place, &unix.OpenHow{
			Flags:   uint64(flags),
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
		})
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

// make makes place and the directories that lead to it, where they do not exist.
func (s *stubs) make(place string, file bool) error {
	if place == "." {
		return nil
	}
	var made string
	parts := strings.Split(place, "/")
	for i, name := range parts {
		dir := path.Join(append([]string{"."}, parts[:i]...)...)
		made = path.Join(dir, name)
		fd, err := s.open(made, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC)
		if err == nil {
			unix.Close(fd)
			continue
		}
		if !errors.Is(err, unix.ENOENT) {
			return err
		}
		if err := s.makeOne(dir, name, file && i == len(parts)-1); err != nil {
			return err
		}
	}
	return nil
}

// makeOne makes name in the existing directory dir.
func (s *stubs) makeOne(dir, name string, file bool) error {
	parent, err := s.open(dir, dirFlags)
	if err != nil {
		return err
	}
	made := stub{parent: parent, name: name}
	mode := uint32(0o755)
	if file {
		mode = 0o644
	}
	err = keepTime(parent, func() error {
		if !file {
			return unix.Mkdirat(parent, name, mode)
		}
		fd, err := unix.Openat(parent, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
		if err == nil {
			unix.Close(fd)
		}
		return err
	})
	if err == nil {
		err = unix.Fstatat(parent, name, &made.stat, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err == nil && made.stat.Mode&0o777 != mode && !hasDefaultACL(parent) { // the umask is the caller's, and no part of the root
		if err = unix.Fchmodat(parent, name, made.stat.Mode&0o7000|mode, 0); err == nil {
			err = unix.Fstatat(parent, name, &made.stat, unix.AT_SYMLINK_NOFOLLOW)
		}
	}
	if err != nil {
		unix.Close(parent)
		return err
	}
	s.made = append(s.made, made)
	return nil
}

// hasDefaultACL tells whether an access control list of the directory says what is made
// in it may have: then the umask does not count.
func hasDefaultACL(dir int) bool {
	n, err := unix.Fgetxattr(dir, "system.posix_acl_default", nil)
	return err == nil && n > 0
}

// remove takes away what was made and is still as it was made, last first, and
// lets go of the root. It may be called again.
func (s *stubs) remove() error {
	var errs []error
	for _, made := range slices.Backward(s.made) {
		if err := made.remove(); err != nil {
			errs = append(errs, fmt.Errorf("mount point %s: %w", made.name, err))
		}
		unix.Close(made.parent)
	}
	s.made = nil
	if s.root >= 0 {
		unix.Close(s.root)
		s.root = -1
	}
	return errors.Join(errs...)
}

func (s stub) remove() error {
	var now unix.Stat_t
	err := unix.Fstatat(s.parent, s.name, &now, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	if now.Ino != s.stat.Ino || now.Dev != s.stat.Dev || now.Mode != s.stat.Mode || now.Uid != s.stat.Uid || now.Gid != s.stat.Gid {
		return nil // somebody's own now
	}
	flags := 0
	if now.Mode&unix.S_IFMT == unix.S_IFDIR {
		flags = unix.AT_REMOVEDIR
	} else if now.Size != 0 {
		return nil
	}
	err = keepTime(s.parent, func() error { return unix.Unlinkat(s.parent, s.name, flags) })
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// keepTime does something to a directory and puts its modification time back.
func keepTime(dir int, do func() error) error {
	var before unix.Stat_t
	if err := unix.Fstat(dir, &before); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, before.Mtim}
	return unix.UtimesNanoAt(dir, ".", times, 0)
}
