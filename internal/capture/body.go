package capture

import (
	"context"
	"errors"
	"io"

	"github.com/inlaybuild/inlay/digest"
	"golang.org/x/sys/unix"
)

// tries is how often a file that changes is read.
const tries = 4

var errAgain = errors.New("the file changed")

// body is an open regular file that is being read.
type body struct {
	fd int
	st unix.Statx_t // as it was before the first byte
}

// openBody opens a name for reading, if it still is the file of want: otherwise
// errAgain.
func openBody(dir int, name string, want *unix.Statx_t) (*body, error) {
	fd, err := openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC)
	if err == unix.ELOOP || err == unix.ENXIO || err == unix.ENOENT {
		return nil, errAgain
	}
	if err != nil {
		return nil, err
	}
	return &body{fd: fd, st: *want}, nil
}

func (b *body) close() { unix.Close(b.fd) }

// unchanged tells, by errAgain, whether the file is another than it was before
// it was read.
func (b *body) unchanged() error {
	var now unix.Statx_t
	if err := statx(b.fd, "", &now); err != nil {
		return err
	}
	if !sameFile(&b.st, &now) {
		return errAgain
	}
	return nil
}

// small reads a file that is not larger than buf.
func (b *body) small(buf []byte) ([]byte, error) {
	buf = buf[:b.st.Size]
	for n := 0; n < len(buf); {
		m, err := retry(func() (int, error) { return unix.Read(b.fd, buf[n:]) })
		if err != nil {
			return nil, err
		}
		if m == 0 {
			return nil, errAgain
		}
		n += m
	}
	return buf, b.unchanged()
}

// copy writes the whole file to w, through buf. It gives the number of bytes
// that were read: holes are not, where the file system tells of them.
func (b *body) copy(ctx context.Context, w bodyWriter, buf []byte, count func(int64)) error {
	size := int64(b.st.Size)
	sparse := b.st.Blocks*512 < b.st.Size
	for at := int64(0); at < size; {
		end := size
		if sparse {
			data, next, err := b.extent(at, size)
			if err != nil {
				return err
			}
			if data > at {
				if err := zeros(ctx, w, data-at); err != nil {
					return err
				}
			}
			at, end = data, next
		}
		for at < end {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := retry(func() (int, error) { return unix.Pread(b.fd, buf[:min(int64(len(buf)), end-at)], at) })
			if err != nil {
				return err
			}
			if n == 0 {
				return errAgain
			}
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			at += int64(n)
			count(int64(n))
		}
	}
	return b.unchanged()
}

// extent gives where the next data at or behind at begins and ends; both are
// size when there is none.
func (b *body) extent(at, size int64) (data, end int64, err error) {
	data, err = unix.Seek(b.fd, at, unix.SEEK_DATA)
	switch {
	case err == unix.ENXIO || err == nil && data > size:
		return size, size, nil
	case err == unix.EINVAL || err == unix.EOPNOTSUPP:
		return at, size, nil // it does not tell
	case err != nil:
		return 0, 0, err
	}
	end, err = unix.Seek(b.fd, data, unix.SEEK_HOLE)
	if err == unix.ENXIO {
		return 0, 0, errAgain // it shrank in between
	}
	return data, min(end, size), err
}

// bodyWriter is what a body is written to. One that has WriteZeros gets holes
// by it.
type bodyWriter interface{ io.Writer }

func zeros(ctx context.Context, w bodyWriter, n int64) error {
	if z, ok := w.(interface{ WriteZeros(int64) error }); ok {
		return z.WriteZeros(n)
	}
	empty := make([]byte, min(n, readSize))
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, err := w.Write(empty[:min(n, int64(len(empty)))])
		if err != nil {
			return err
		}
		n -= int64(m)
	}
	return nil
}

// sum gives the digest of a file without keeping its bytes.
func (b *body) sum(ctx context.Context, buf []byte, count func(int64)) (digest.Digest, error) {
	if b.st.Size <= uint64(len(buf)) {
		s, err := b.small(buf)
		if err != nil {
			return digest.Digest{}, err
		}
		count(int64(len(s)))
		return digest.Of(s), nil
	}
	h := digest.NewHasher()
	err := b.copy(ctx, h, buf, count)
	return h.Digest(), err
}

// save gives the body to a sink.
func (b *body) save(ctx context.Context, sink Sink, buf []byte, count func(int64)) (digest.Digest, error) {
	if b.st.Size <= uint64(len(buf)) {
		s, err := b.small(buf)
		if err != nil {
			return digest.Digest{}, err
		}
		count(int64(len(s)))
		d, _, err := sink.PutBytes(ctx, s)
		return d, err
	}
	w := sink.Create()
	if err := b.copy(ctx, w, buf, count); err != nil {
		return digest.Digest{}, errors.Join(err, w.Discard())
	}
	d, size, err := w.Finish(ctx)
	if err == nil && size != int64(b.st.Size) {
		err = io.ErrShortWrite
	}
	return d, err
}
