package layer

import (
	"io"

	"archive/tar"
	"errors"
)

// raw is the stream that the tar parser reads. It counts what it reads, and
// tells the stream's own errors from the parser's.
type raw struct {
	r     io.Reader
	n     int64
	from  int64 // where the next header is
	found bool  // a byte that is not zero was read at or after from
	err   error // of the stream, other than io.EOF
}

const block = 512

func (r *raw) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if !r.found && r.n+int64(n) > r.from {
		r.found = !allZero(b[max(0, r.from-r.n):n])
	}
	r.n += int64(n)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// entryEnds says that the body of an entry was read: a header comes next.
func (r *raw) entryEnds() {
	r.from = (r.n + block - 1) / block * block
	r.found = false
}

// end tells whether the parser's io.EOF is the end of a whole tar.
func (r *raw) end() error {
	switch {
	case r.n < r.from || r.n%block != 0:
		return malformed("it is cut off: %w", io.ErrUnexpectedEOF)
	case r.found:
		return malformed("it ends with a header that belongs to an entry after it: %w", io.ErrUnexpectedEOF)
	}
	r.from = r.n
	buf := make([]byte, 32<<10)
	for {
		_, err := r.Read(buf)
		if r.found {
			return malformed("there is more after its end")
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// explain makes an error of the parser one of this package.
func (r *raw) explain(err error) error {
	switch {
	case r.err != nil:
		return r.err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return malformed("it is cut off: %w", io.ErrUnexpectedEOF)
	case errors.Is(err, tar.ErrHeader):
		return malformed("at byte %d: %w", r.n, err)
	}
	return malformed("%w", err)
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
