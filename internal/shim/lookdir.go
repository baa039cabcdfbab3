//go:build linux

package shim

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/tree"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Look writes the tree of the directory root for [ReadLooked], without what is
// mounted in it, and where that is. What stands at these places is not what the tree
// has there. Nobody may write to root meanwhile.
func Look(ctx context.Context, root string, to io.Writer) error {
	w := bufio.NewWriterSize(to, 1<<16)
	mounts, err := mountsIn(root)
	if err != nil {
		return err
	}
	if _, err := w.Write(binary.AppendUvarint(nil, uint64(len(mounts)))); err != nil {
		return err
	}
	for _, p := range mounts {
		if err := writePart(w, []byte(p)); err != nil {
			return err
		}
	}
	t, _, err := capture.Directory(ctx, root, hashing{}, capture.Options{OneFileSystem: true})
	if err != nil {
		return err
	}
	saved, err := tree.Save(ctx, t, nil, func(_ digest.Digest, node []byte) error { return writePart(w, node) })
	if err == nil {
		err = writePart(w, nil)
	}
	if err == nil {
		_, err = w.Write(saved.Digest.Append(nil))
	}
	return errors.Join(err, w.Flush())
}

// mountsIn gives the paths in a directory at which something is mounted, without those
// below others.
func mountsIn(root string) ([]string, error) {
	all, err := mountinfo.GetMounts(nil)
	if err != nil {
		return nil, fmt.Errorf("what is mounted: %w", err)
	}
	prefix := strings.TrimSuffix(path.Clean(root), "/") + "/"
	var points []string
	for _, m := range all {
		if below, ok := strings.CutPrefix(m.Mountpoint, prefix); ok && below != "" {
			points = append(points, "/"+below)
		}
	}
	slices.Sort(points)
	var out []string
	for _, p := range points {
		if !slices.ContainsFunc(out, func(above string) bool { return p == above || strings.HasPrefix(p, above+"/") }) {
			out = append(out, p)
		}
	}
	return out, nil
}

// Give writes the contents of files in the directory root as a tar, whose names are
// numbers. It reads their paths as [WritePaths] writes them. No symlink is followed.
func Give(root string, paths io.Reader, to io.Writer) error {
	d, err := newDescent(root)
	if err != nil {
		return err
	}
	defer d.close()
	r := bufio.NewReader(paths)
	buffered := bufio.NewWriterSize(to, 1<<16)
	w := tar.NewWriter(buffered)
	for i := 0; ; i++ {
		p, err := readPart(r, maxString)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = give(d, string(p), strconv.Itoa(i), w)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return errors.Join(w.Close(), buffered.Flush())
}

func give(d *descent, p, name string, to *tar.Writer) error {
	dir, base, err := d.parent(p)
	if err != nil {
		return err
	}
	fd, err := unix.Openat(dir, base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), p)
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is no file")
	}
	if err := to.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.CopyN(to, f, info.Size())
	return err
}
