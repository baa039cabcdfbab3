//go:build linux

package shim

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// outDir is the directory that the client reads. Others may write to it as long as
// they live: what is in it then is taken away.
type outDir struct {
	path string
	fd   int
}

func openOut(path string) (*outDir, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &outDir{path, fd}, nil
}

func (o *outDir) close() { unix.Close(o.fd) }

// create gives a new file without a name. Nobody else can open it.
func (o *outDir) create() (*os.File, error) {
	fd, err := unix.Openat(o.fd, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err == nil {
		return os.NewFile(uintptr(fd), o.path), nil
	}
	// Not every file system makes such: one that had a name for a moment, before
	// the process is started.
	name := ".inlay-" + strconv.Itoa(os.Getpid())
	f, err := o.createAs(name)
	if err != nil {
		return nil, err
	}
	if err := unix.Unlinkat(o.fd, name, 0); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "remove", Path: o.path + "/" + name, Err: err}
	}
	return f, nil
}

// createAs gives a new file with a name.
func (o *outDir) createAs(name string) (*os.File, error) {
	fd, err := unix.Openat(o.fd, name, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, &os.PathError{Op: "create", Path: o.path + "/" + name, Err: err}
	}
	return os.NewFile(uintptr(fd), o.path+"/"+name), nil
}

// publish gives the files their names, the exit at last. No other process is left.
func (o *outDir) publish(exit Exit, stdout, stderr *stream) error {
	if err := o.clear(); err != nil {
		return fmt.Errorf("%s: %w", o.path, err)
	}
	b, err := exit.Encode()
	if err != nil {
		return err
	}
	if err := errors.Join(o.name(stdout.file, StdoutFile), o.name(stderr.file, StderrFile)); err != nil {
		return err
	}
	return o.write(ExitFile, b)
}

// clear takes away all that the directory holds.
func (o *outDir) clear() error {
	d, err := openDir(o.fd, ".")
	if err != nil {
		return err
	}
	defer d.Close()
	return removeBelow(d)
}

// name gives a file from create its name.
func (o *outDir) name(f *os.File, name string) error {
	if err := unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(int(f.Fd())), o.fd, name, unix.AT_SYMLINK_FOLLOW); err == nil {
		return f.Close()
	}
	to, err := o.createAs(name)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = to.ReadFrom(f)
	return errors.Join(err, to.Close(), f.Close())
}

// write makes a whole file.
func (o *outDir) write(name string, b []byte) error {
	f, err := o.create()
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return errors.Join(err, f.Close())
	}
	return o.name(f, name)
}

// openDir opens a directory in another one, which is no symlink.
func openDir(at int, name string) (*os.File, error) {
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// removeBelow removes all that a directory holds.
func removeBelow(d *os.File) error {
	for {
		names, err := d.Readdirnames(1000)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := removeAll(int(d.Fd()), name); err != nil {
				return err
			}
		}
		if _, err := d.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
}

// removeAll removes a name in a directory with all below it. That it is not there
// is no error.
func removeAll(at int, name string) error {
	err := unix.Unlinkat(at, name, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if !errors.Is(err, unix.EISDIR) {
		if err != nil {
			err = &os.PathError{Op: "remove", Path: name, Err: err}
		}
		return err
	}
	d, err := openDir(at, name)
	if err != nil {
		return &os.PathError{Op: "remove", Path: name, Err: err}
	}
	defer d.Close()
	if err := removeBelow(d); err != nil {
		return err
	}
	if err := unix.Unlinkat(at, name, unix.AT_REMOVEDIR); err != nil {
		return &os.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}
