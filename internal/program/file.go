package program

import (
	"context"
	"fmt"
	"io"

	"github.com/inlaybuild/inlay/tree"
)

// headSize is how much of a file the kernel looks at to know what it is.
const headSize = 256

// maxSkip bounds how far a file is read that cannot be read at an offset.
const maxSkip = 64 << 20

// file is a file that may be executed.
type file struct {
	at       *place
	entry    tree.File
	contents tree.Contents
}

// read gives n bytes at an offset, fewer where the file ends.
func (f *file) read(ctx context.Context, offset, n int64) ([]byte, error) {
	n = min(n, f.entry.Size-offset)
	if offset < 0 || n <= 0 {
		return nil, nil
	}
	if f.contents == nil {
		return nil, errUnknown
	}
	r, err := f.contents.OpenContent(ctx, f.entry.Content)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.at.path, err)
	}
	defer r.Close()
	b := make([]byte, n)
	if at, ok := r.(io.ReaderAt); ok {
		_, err = at.ReadAt(b, offset)
	} else if offset > maxSkip {
		return nil, errUnknown
	} else if _, err = io.CopyN(io.Discard, r, offset); err == nil {
		_, err = io.ReadFull(r, b)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.at.path, err)
	}
	return b, nil
}
