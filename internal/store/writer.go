package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/inlaybuild/inlay/digest"
)

// smallBlob is the size up to which a body is kept in memory until its digest is
// known: the ones that the store has are then never written.
const smallBlob = 64 << 10

// BlobWriter writes one blob. It is used by one goroutine.
type BlobWriter struct {
	in   *Ingest
	buf  *[]byte // the body, while it is small
	h    *digest.Hasher
	f    *os.File
	name string
	err  error
}

// Create begins a blob. End it with Finish or Discard.
func (in *Ingest) Create() *BlobWriter {
	return &BlobWriter{in: in, buf: in.buffers.Get().(*[]byte)}
}

// Write adds to the blob.
func (w *BlobWriter) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.f == nil {
		if len(*w.buf)+len(b) <= cap(*w.buf) {
			*w.buf = append(*w.buf, b...)
			return len(b), nil
		}
		if w.err = w.spill(); w.err != nil {
			return 0, w.err
		}
	}
	if len(b) >= smallBlob {
		return w.write(b)
	}
	// Gather small writes.
	for rest := b; len(rest) > 0; {
		n := copy((*w.buf)[len(*w.buf):cap(*w.buf)], rest)
		*w.buf = (*w.buf)[:len(*w.buf)+n]
		rest = rest[n:]
		if len(*w.buf) == cap(*w.buf) {
			if w.err = w.drain(); w.err != nil {
				return 0, w.err
			}
		}
	}
	return len(b), nil
}

// ReadFrom adds all of r.
func (w *BlobWriter) ReadFrom(r io.Reader) (n int64, err error) {
	for w.err == nil {
		buf := *w.buf
		m, err := r.Read(buf[len(buf):cap(buf)])
		*w.buf = buf[:len(buf)+m]
		n += int64(m)
		if err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
		if len(*w.buf) == cap(*w.buf) {
			if w.f == nil {
				w.err = w.spill()
			} else {
				w.err = w.drain()
			}
		}
	}
	return n, w.err
}

// spill moves a body that is not small to a file.
func (w *BlobWriter) spill() error {
	f, name, err := w.in.newFile()
	if err != nil {
		return err
	}
	w.f, w.name, w.h = f, name, digest.NewHasher()
	return w.drain()
}

func (w *BlobWriter) drain() error {
	_, err := w.write(*w.buf)
	*w.buf = (*w.buf)[:0]
	return err
}

// write writes b behind what is in the buffer.
func (w *BlobWriter) write(b []byte) (int, error) {
	if len(*w.buf) > 0 && (len(b) == 0 || &b[0] != &(*w.buf)[0]) {
		if w.err = w.drain(); w.err != nil {
			return 0, w.err
		}
	}
	w.h.Write(b)
	n, err := w.f.Write(b)
	w.err = err
	return n, err
}

// Finish ends the blob and gives its digest and size. A blob that the store has
// already is dropped. It becomes visible with the ingest's Commit.
func (w *BlobWriter) Finish(ctx context.Context) (d digest.Digest, size int64, err error) {
	if w.err == nil && w.buf == nil {
		w.err = os.ErrClosed
	}
	if w.err == nil && w.f != nil {
		w.err = w.drain()
	}
	if w.err != nil {
		return d, 0, errors.Join(fmt.Errorf("write blob: %w", w.err), w.Discard())
	}
	if w.f == nil {
		d, size, err = w.in.PutBytes(ctx, *w.buf)
		return d, size, errors.Join(err, w.Discard())
	}
	d, size = w.h.Digest(), w.h.Size()
	known, err := w.in.known(ctx, d, size)
	if known || err != nil {
		return d, size, errors.Join(err, w.Discard())
	}
	err = w.f.Close()
	w.f = nil
	if err == nil {
		err = w.in.add(d, pending{w.name, size})
	}
	if err != nil {
		err = fmt.Errorf("write blob: %w", err)
	}
	return d, size, errors.Join(err, w.Discard())
}

// Discard drops the blob. It does nothing after Finish.
func (w *BlobWriter) Discard() error {
	if w.buf != nil {
		*w.buf = (*w.buf)[:0]
		w.in.buffers.Put(w.buf)
		w.buf = nil
	}
	if w.err == nil {
		w.err = os.ErrClosed
	}
	if w.f == nil {
		return nil
	}
	err := errors.Join(w.f.Close(), os.Remove(filepath.Join(w.in.path, w.name)))
	w.f = nil
	return err
}

// Put writes all of r as one blob.
func (in *Ingest) Put(ctx context.Context, r io.Reader) (digest.Digest, int64, error) {
	w := in.Create()
	if _, err := w.ReadFrom(r); err != nil {
		return digest.Digest{}, 0, errors.Join(err, w.Discard())
	}
	return w.Finish(ctx)
}

// PutBytes writes b as one blob.
func (in *Ingest) PutBytes(ctx context.Context, b []byte) (digest.Digest, int64, error) {
	d, size := digest.Of(b), int64(len(b))
	if known, err := in.known(ctx, d, size); known || err != nil {
		return d, size, err
	}
	f, name, err := in.newFile()
	if err != nil {
		return d, size, fmt.Errorf("write blob: %w", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = in.add(d, pending{name, size})
	}
	if err != nil {
		return d, size, fmt.Errorf("write blob: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return d, size, nil
}
