package layer

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// item is one entry of a tar to be written.
type item struct {
	header *tar.Header
	path   string
	file   *tree.File    // with a body; nil for all others
	ready  chan struct{} // closed when the body was read; nil when it is not read ahead
	buf    []byte
	err    error
	queue  *queue
}

// queue has the items in their order, and reads small bodies ahead.
type queue struct {
	ctx     context.Context // of the one call of write that made it
	items   chan *item
	buffers chan []byte // those not in use; nil ones are not made yet
	readers sync.WaitGroup
}

func newQueue(ctx context.Context) *queue {
	q := &queue{ctx: ctx, items: make(chan *item, 2*bodiesAhead), buffers: make(chan []byte, bodiesAhead)}
	for range bodiesAhead {
		q.buffers <- nil
	}
	return q
}

// add appends an item.
func (q *queue) add(it *item, open OpenBlob) error {
	it.queue = q
	if it.file != nil && it.file.Size <= smallBody && open != nil {
		select {
		case it.buf = <-q.buffers:
		case <-q.ctx.Done():
			return context.Cause(q.ctx)
		}
		if it.buf == nil {
			it.buf = make([]byte, smallBody)
		}
		it.ready = make(chan struct{})
		q.readers.Go(func() {
			defer close(it.ready)
			it.err = it.read(q.ctx, open)
		})
	}
	q.items <- it // the writer takes all
	return nil
}

func (q *queue) close() { close(q.items) }
func (q *queue) wait()  { q.readers.Wait() }

// body opens the item's body, verified.
func (it *item) body(ctx context.Context, open OpenBlob) (io.Reader, io.Closer, error) {
	if open == nil {
		return nil, nil, fmt.Errorf("%s: no place to take bodies from was given", it.path)
	}
	f, err := open(ctx, it.file.Content)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", it.path, err)
	}
	return digest.Verify(f, it.file.Content, it.file.Size), f, nil
}

func (it *item) read(ctx context.Context, open OpenBlob) error {
	r, c, err := it.body(ctx, open)
	if err != nil {
		return err
	}
	defer c.Close()
	n, err := io.ReadFull(r, it.buf[:it.file.Size])
	if err == nil {
		_, err = r.Read(make([]byte, 1)) // only at the end it is verified
		if err == io.EOF {
			return nil
		}
	}
	return fmt.Errorf("%s: after %d bytes: %w", it.path, n, err)
}

func (it *item) write(ctx context.Context, t *tar.Writer, open OpenBlob) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if it.ready != nil {
		<-it.ready
		if it.err != nil {
			return it.err
		}
	}
	if err := t.WriteHeader(it.header); err != nil {
		return fmt.Errorf("%s: %w", it.path, err)
	}
	switch {
	case it.file == nil:
		return nil
	case it.ready != nil:
		_, err := t.Write(it.buf[:it.file.Size])
		return err
	}
	r, c, err := it.body(ctx, open)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{t}, &checked{ctx, r}, make([]byte, 256<<10)); err != nil {
		return fmt.Errorf("%s: %w", it.path, err)
	}
	return nil
}

// release gives back what reading ahead took.
func (it *item) release() {
	if it.ready == nil {
		return
	}
	<-it.ready
	it.queue.buffers <- it.buf
}

// checked is a reader that ends with its context.
type checked struct {
	ctx context.Context
	r   io.Reader
}

func (c *checked) Read(b []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(b)
}
