package layout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/inlaybuild/inlay/image"
)

// OpenRange opens n bytes of a blob from off on. They are not verified: a digest
// names a whole blob.
func (l *Layout) OpenRange(ctx context.Context, d image.Descriptor, off, n int64) (io.ReadCloser, error) {
	f, err := l.openRegular(blobPath(d.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		err = image.NotFound(d.Digest)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.dir, err)
	}
	return &section{io.NewSectionReader(f, off, n), f}, nil
}

// section is a part of a file.
type section struct {
	*io.SectionReader
	file *os.File
}

// Close closes the file.
func (s *section) Close() error { return s.file.Close() }
