package embedded

import (
	"context"
	"errors"
	"sync"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/mask"
	"github.com/inlaybuild/inlay/internal/steplog"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// outputs is where a process writes: to blobs, and to who watches. Secrets are
// masked before anything else sees a byte.
type outputs struct {
	stdout, stderr *output
	log            *log // of the run; nil if it is not remembered
	create         func() *store.BlobWriter

	once sync.Once
	lost error // why the log does not have all of it
}

func newOutputs(x *exec, in *store.Ingest, secrets [][]byte) *outputs {
	o := &outputs{log: x.step.log(), create: in.Create}
	make := func(stderr bool) *output {
		out := &output{of: o, exec: x, stderr: stderr, blob: in.Create()}
		out.mask = mask.New(outputSink{out}, secrets)
		return out
	}
	o.stdout, o.stderr = make(false), make(true)
	return o
}

func (o *outputs) flush() error {
	err := o.stdout.mask.Flush()
	if e := o.stderr.mask.Flush(); err == nil {
		err = e
	}
	return err
}

// discard throws away what is not finished.
func (o *outputs) discard() error {
	return errors.Join(o.stdout.blob.Discard(), o.stderr.blob.Discard(), o.log.close())
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
	silent bool // nobody watches
	blob   *store.BlobWriter
	mask   *mask.Writer
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
	s.o.of.note(s.o, b)
	if !s.o.silent {
		s.o.exec.event(engine.Output{Step: s.o.exec.number, Stderr: s.o.stderr, Data: append([]byte(nil), b...)})
	}
	return s.o.blob.Write(b)
}

// note adds to the log of the run. A disk that is full is told, and does not end
// the process.
func (o *outputs) note(from *output, b []byte) {
	if o.log == nil || o.log.w == nil {
		return
	}
	stream := steplog.Stdout
	if from.stderr {
		stream = steplog.Stderr
	}
	if err := o.log.w.Write(stream, b); err != nil {
		o.once.Do(func() {
			o.lost = err
			from.exec.event(engine.NotKept{Step: from.exec.number, What: "the rest of what the process says", Err: err})
		})
	}
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
