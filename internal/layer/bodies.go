package layer

import (
	"context"
	"io"
	"runtime"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// smallBody is the size up to which bodies are handed to other goroutines.
const smallBody = 128 << 10

// bodiesAhead is how many small bodies are in memory at once.
const bodiesAhead = 32

// bodies brings the bodies of files to where they are kept.
type bodies struct {
	ctx     context.Context // of the one call of Read that made it
	cancel  context.CancelCauseFunc
	blobs   Blobs
	jobs    chan bodyJob
	workers sync.WaitGroup
	buffers chan []byte // those not in use; nil ones are not made yet
}

type bodyJob struct {
	inode *inode
	file  tree.File
	buf   []byte // its first file.Size bytes
}

func newBodies(ctx context.Context, blobs Blobs) *bodies {
	b := &bodies{blobs: blobs, jobs: make(chan bodyJob, bodiesAhead), buffers: make(chan []byte, bodiesAhead)}
	b.ctx, b.cancel = context.WithCancelCause(ctx)
	for range bodiesAhead {
		b.buffers <- nil
	}
	for range min(4, max(2, runtime.GOMAXPROCS(0))) {
		b.workers.Go(b.work)
	}
	return b
}

func (b *bodies) work() {
	for j := range b.jobs {
		if b.ctx.Err() == nil {
			d, _, err := b.blobs.PutBytes(b.ctx, j.buf[:j.file.Size])
			if err != nil {
				b.cancel(err)
			}
			j.file.Content = d
			j.inode.entry = j.file
		}
		b.buffers <- j.buf
	}
}

// err gives the first error.
func (b *bodies) err() error {
	return context.Cause(b.ctx)
}

// close waits until all bodies are where they belong. Entries of files are there
// from then on.
func (b *bodies) close() error {
	close(b.jobs)
	b.workers.Wait()
	err := b.err()
	b.cancel(nil)
	return err
}

// put keeps the body of a file, of which the size is known, and makes it the
// entry of the inode, at once or later.
func (b *bodies) put(i *inode, f tree.File, r io.Reader) error {
	if err := b.err(); err != nil {
		return err
	}
	if f.Size > smallBody {
		d, n, err := b.blobs.Put(b.ctx, r)
		if err == nil && n != f.Size {
			err = io.ErrUnexpectedEOF
		}
		f.Content = d
		i.entry = f
		return err
	}
	buf := <-b.buffers
	if buf == nil {
		buf = make([]byte, smallBody)
	}
	if _, err := io.ReadFull(r, buf[:f.Size]); err != nil {
		return err // for good: the buffer is not needed any more
	}
	b.jobs <- bodyJob{i, f, buf}
	return nil
}

// discard forgets bodies: they are only read.
type discard struct{}

func (discard) Put(_ context.Context, r io.Reader) (digest.Digest, int64, error) {
	h := digest.NewHasher()
	if _, err := io.Copy(h, r); err != nil {
		return digest.Digest{}, 0, err
	}
	return h.Digest(), h.Size(), nil
}

func (discard) PutBytes(_ context.Context, b []byte) (digest.Digest, int64, error) {
	return digest.Of(b), int64(len(b)), nil
}
