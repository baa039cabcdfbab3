package registry

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/containerd/errdefs"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
)

// resumed is a body that goes on where it was cut: when its connection breaks,
// stands still or ends early, the rest is asked for, after a pause, as often as
// attempts without a byte of progress.
type resumed struct {
	ctx      context.Context // of the one Open that this reader comes from
	open     func() (io.ReadCloser, error)
	desc     image.Descriptor
	attempts int
	backoff  time.Duration
	retry    func(error)

	body   io.ReadCloser
	offset int64
	failed int // since the last byte
	first  []byte
}

// start reads the first byte.
func (r *resumed) start() error {
	b := make([]byte, 1)
	n, err := r.Read(b)
	r.first = b[:n]
	if err == io.EOF {
		err = nil // an empty blob
	}
	return err
}

func (r *resumed) Read(b []byte) (int, error) {
	if len(r.first) > 0 && len(b) > 0 {
		n := copy(b, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	for {
		n, err := r.read(b)
		if n > 0 {
			r.failed = 0
		}
		if err == nil || err == io.EOF && r.offset >= r.desc.Size {
			return n, err
		}
		if err == io.EOF {
			err = fmt.Errorf("the registry sent %d of the %d bytes of %s: %w", r.offset, r.desc.Size, r.desc.Digest, io.ErrUnexpectedEOF)
		}
		r.drop()
		if n > 0 {
			return n, nil
		}
		if r.failed++; !resumable(err) || r.failed >= r.attempts || r.ctx.Err() != nil {
			return 0, err
		}
		if r.retry != nil {
			r.retry(err)
		}
		if err := sleep(r.ctx, min(r.backoff<<(r.failed-1), maxPause)); err != nil {
			return 0, err
		}
	}
}

// resumable tells whether asking again may help: a busy registry was asked
// again already.
func resumable(err error) bool { return isCut(err) && !errdefs.IsNotFound(err) }

func (r *resumed) read(b []byte) (int, error) {
	if r.body == nil {
		rc, err := r.open()
		if err != nil {
			return 0, err
		}
		r.body = rc
		if s, ok := rc.(io.Seeker); ok && r.offset > 0 {
			if _, err := s.Seek(r.offset, io.SeekStart); err != nil {
				return 0, err
			}
		}
	}
	n, err := r.body.Read(b)
	if errdefs.IsFailedPrecondition(err) { // so the library below says it
		err = fmt.Errorf("%w: more than the %d bytes of %s", digest.ErrMismatch, r.desc.Size, r.desc.Digest)
	}
	r.offset += int64(n)
	return n, err
}

func (r *resumed) drop() {
	if r.body != nil {
		r.body.Close()
		r.body = nil
	}
}

// Close ends the reading.
func (r *resumed) Close() error {
	r.drop()
	return nil
}
