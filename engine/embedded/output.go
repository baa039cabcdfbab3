package embedded

import (
	"context"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// outputs is where a process writes: to blobs, and to who watches. Secrets are
// masked before anything else sees a byte.
type outputs struct {
	stdout, stderr *output
}

func newOutputs(x *exec, in *store.Ingest, secrets [][]byte) *outputs {
	make := func(stderr bool) *output {
		o := &output{exec: x, stderr: stderr, blob: in.Create()}
		o.mask = newMask(outputSink{o}, secrets)
		return o
	}
	return &outputs{make(false), make(true)}
}

func (o *outputs) flush() error {
	err := o.stdout.mask.flush()
	if e := o.stderr.mask.flush(); err == nil {
		err = e
	}
	return err
}

func (o *outputs) discard() {
	o.stdout.blob.Discard()
	o.stderr.blob.Discard()
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
	s.o.exec.event(engine.Output{Step: s.o.exec.index, Stderr: s.o.stderr, Data: append([]byte(nil), b...)})
	return s.o.blob.Write(b)
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
