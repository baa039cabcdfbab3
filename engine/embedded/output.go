package embedded

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// outputs is where a process writes: to blobs, and to who watches. Secrets are
// masked before anything else sees a byte.
type outputs struct {
	stdout, stderr *output

	mu  sync.Mutex
	log io.WriteCloser // of the run; nil if it is not remembered
}

func newOutputs(ctx context.Context, x *exec, in *store.Ingest, secrets [][]byte) (*outputs, error) {
	o := new(outputs)
	var err error
	if o.log, err = x.note.log(ctx); err != nil {
		return nil, err
	}
	make := func(stderr bool) *output {
		out := &output{of: o, exec: x, stderr: stderr, blob: in.Create()}
		out.mask = newMask(outputSink{out}, secrets)
		return out
	}
	o.stdout, o.stderr = make(false), make(true)
	return o, nil
}

func (o *outputs) flush() error {
	err := o.stdout.mask.flush()
	if e := o.stderr.mask.flush(); err == nil {
		err = e
	}
	return err
}

// discard throws away what is not finished.
func (o *outputs) discard() error {
	err := errors.Join(o.stdout.blob.Discard(), o.stderr.blob.Discard())
	if o.log != nil {
		err = errors.Join(err, o.log.Close())
	}
	return err
}

// finish gives what was written as files.
func (o *outputs) finish(ctx context.Context) (stdout, stderr tree.File, err error) {
	if stdout, err = o.stdout.finish(ctx); err != nil {
		return stdout, stderr, err
	}
	stderr, err = o.stderr.finish(ctx)
	return stdout, stderr, err
}

// output is one stream of a process.
type output struct {
	of     *outputs
	exec   *exec
	stderr bool
	blob   *store.BlobWriter
	mask   *mask
	tail   tail
	size   int64
}

// Write takes what the process writes.
func (o *output) Write(b []byte) (int, error) { return o.mask.Write(b) }

func (o *output) finish(ctx context.Context) (tree.File, error) {
	f := tree.File{Attributes: tree.Attr{Mode: 0o644}, Size: o.size}
	if o.size == 0 {
		return f, o.blob.Discard()
	}
	d, _, err := o.blob.Finish(ctx)
	f.Content = d
	return f, err
}

// outputSink takes what is masked.
type outputSink struct{ o *output }

func (s outputSink) Write(b []byte) (int, error) {
	s.o.tail.add(b)
	s.o.size += int64(len(b))
	if err := s.o.of.note(b); err != nil {
		return 0, err
	}
	s.o.exec.event(engine.Output{Step: s.o.exec.number, Stderr: s.o.stderr, Data: append([]byte(nil), b...)})
	return s.o.blob.Write(b)
}

// note adds to the log of the run.
func (o *outputs) note(b []byte) error {
	if o.log == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	_, err := o.log.Write(b)
	return err
}

// tail keeps the end of what was written, for errors.
type tail struct{ buf []byte }

const tailSize = 16 << 10

func (t *tail) add(b []byte) {
	t.buf = append(t.buf, b...)
	if len(t.buf) > 2*tailSize {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailSize:]...)
	}
}

func (t *tail) bytes() []byte {
	return append([]byte(nil), t.buf[max(0, len(t.buf)-tailSize):]...)
}
