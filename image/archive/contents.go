package archive

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/image"
)

const (
	maxEntries   = 200_000
	maxNameBytes = 64 << 20
	maxLinks     = 40
)

// contents are the files of a tar and where they lie in it.
type contents struct {
	r     io.ReaderAt
	files map[string]file
	links map[string]string
}

// file is where a file's bytes lie in the tar.
type file struct {
	offset, size int64
}

// readContents reads the headers of a tar of size bytes. Names that lead out of
// it are refused; of entries with the same name the last counts, as it does when
// a tar is unpacked. Its memory is bounded.
func readContents(r io.ReaderAt, size int64) (*contents, error) {
	c := &contents{r: r, files: map[string]file{}, links: map[string]string{}}
	s := io.NewSectionReader(r, 0, size)
	tr := tar.NewReader(s)
	names := 0
	for n := 0; ; n++ {
		h, err := tr.Next()
		if err == io.EOF {
			return c, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: tar: %w", ErrNotArchive, err)
		}
		if names += len(h.Name) + len(h.Linkname); n == maxEntries || names > maxNameBytes {
			return nil, fmt.Errorf("%w: more than %d entries, or their names are too long", ErrNotArchive, maxEntries)
		}
		name, err := clean(h.Name)
		if err != nil {
			return nil, err
		}
		delete(c.files, name)
		delete(c.links, name)
		switch h.Typeflag {
		case tar.TypeReg:
			if isSparse(h) {
				return nil, fmt.Errorf("%w: %q is sparse", ErrNotArchive, h.Name)
			}
			// The reader reads no further than the header.
			at, err := s.Seek(0, io.SeekCurrent)
			if err != nil {
				return nil, err
			}
			if h.Size > size-at {
				return nil, fmt.Errorf("%w: tar: %q: %w", ErrNotArchive, name, io.ErrUnexpectedEOF)
			}
			c.files[name] = file{at, h.Size}
		case tar.TypeSymlink:
			target := h.Linkname
			if !strings.HasPrefix(target, "/") {
				target = path.Join(path.Dir(name), target)
			}
			if c.links[name], err = clean(target); err != nil {
				return nil, err
			}
		case tar.TypeLink:
			if c.links[name], err = clean(h.Linkname); err != nil {
				return nil, err
			}
		}
	}
}

func isSparse(h *tar.Header) bool {
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

// clean gives a name as a path within the tar.
func clean(name string) (string, error) {
	p := path.Clean(name)
	if p == ".." || strings.HasPrefix(p, "../") || strings.HasPrefix(p, "/") {
		return "", fmt.Errorf("%w: %.200q leads out of it", ErrNotArchive, name)
	}
	return p, nil
}

// find gives the file of that name, through links.
func (c *contents) find(name string) (file, bool) {
	name = path.Clean(name)
	for range maxLinks {
		if f, ok := c.files[name]; ok {
			return f, true
		}
		to, ok := c.links[name]
		if !ok {
			return file{}, false
		}
		name = to
	}
	return file{}, false
}

func (c *contents) open(f file) *io.SectionReader { return io.NewSectionReader(c.r, f.offset, f.size) }

// read reads a small file.
func (c *contents) read(name string, limit int64) ([]byte, error) {
	f, ok := c.find(name)
	if !ok {
		return nil, fmt.Errorf("%.200q: %w", name, errPartial)
	}
	if f.size > limit {
		return nil, fmt.Errorf("%.200q: %w: %d bytes where at most %d are read", name, image.ErrTooLarge, f.size, limit)
	}
	b := make([]byte, f.size)
	if _, err := io.ReadFull(c.open(f), b); err != nil {
		return nil, fmt.Errorf("%.200q: %w", name, err)
	}
	return b, nil
}
