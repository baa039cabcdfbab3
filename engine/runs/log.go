package runs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/steplog"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// LogStore has the logs of steps: a [store.Store] is one.
type LogStore interface {
	OpenLog(run string, index int) (*os.File, error)
}

// Log is what the process of a step said, with times, read from the beginning;
// also while it is written. It is used by one goroutine. Close it.
type Log struct {
	store LogStore
	name  LogName

	file *os.File
	log  *steplog.Reader
	kept *output // instead of a log that is gone
}

// HasProcess tells whether the step is one that runs a process, and so may have a log.
func (s Step) HasProcess() bool { return s.Op == graph.Exec{}.Name() }

// HasEnded tells whether nothing will be added to the step or its log.
func (s Step) HasEnded() bool { return s.State != store.Running && s.State != Waiting }

// OpenLog opens the log of a step: of a cached one, that of the step that ran the
// process. When that is gone with its run, it is what the result has: first the
// whole of standard output and then of standard error, without times. A log that
// is not there yet, because the process has not begun, is empty. A step without a
// process is an fs.ErrNotExist.
func OpenLog(ctx context.Context, s LogStore, c tree.Contents, run string, st Step) (*Log, error) {
	if !st.HasProcess() {
		return nil, notFound("step %d of run %s (%s) runs no process, and so has no log", st.Number(), run, word(st.Call))
	}
	l := &Log{store: s, name: LogName{Run: run, Index: st.Index}}
	if st.State == Cached && st.Log != nil {
		l.name = *st.Log
	}
	err := l.open()
	if errors.Is(err, fs.ErrNotExist) && st.Exec != nil {
		l.kept, err = &output{ctx: ctx, contents: c, streams: []tree.File{st.Exec.Stdout, st.Exec.Stderr}, cache: st.Cache}, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open the log of step %d of run %s: %w", st.Number(), run, err)
	}
	return l, nil
}

// Name tells whose log it is: that of the step, or of a step of an earlier run.
// ok is false if that is gone.
func (l *Log) Name() (name LogName, ok bool) { return l.name, l.kept == nil }

func (l *Log) open() error {
	f, err := l.store.OpenLog(l.name.Run, l.name.Index)
	if err == nil {
		l.file, l.log = f, steplog.NewReader(f)
	}
	return err
}

// Next gives the next record; its data may be changed by the next call. At the
// end it gives io.EOF: while the step goes on, there may be more later.
func (l *Log) Next() (steplog.Record, error) {
	if l.kept != nil {
		return l.kept.next()
	}
	if l.log == nil {
		err := l.open()
		if errors.Is(err, fs.ErrNotExist) {
			return steplog.Record{}, io.EOF
		}
		if err != nil {
			return steplog.Record{}, err
		}
	}
	return l.log.Next()
}

// Close ends the use of the log.
func (l *Log) Close() error {
	var err error
	if l.file != nil {
		err = l.file.Close()
	}
	if l.kept != nil {
		err = errors.Join(err, l.kept.close())
	}
	return err
}

// output is what a result has of its process, as records without times.
type output struct {
	ctx      context.Context // of the one call of OpenLog that made it
	contents tree.Contents
	streams  []tree.File // stdout and stderr
	cache    string      // of others, that the result came from; "" for none
	at       int
	open     io.ReadCloser
	buf      [32 << 10]byte
}

func (o *output) next() (steplog.Record, error) {
	for o.at < len(o.streams) {
		if o.streams[o.at].Size == 0 {
			o.at++
			continue
		}
		if o.open == nil {
			var err error
			o.open, err = o.contents.OpenContent(o.ctx, o.streams[o.at].Content)
			if errors.Is(err, fs.ErrNotExist) && o.cache != "" {
				err = notFound("what it said is in the cache %s, and was not read: run it again with --cache-from, and ask for stdout", o.cache)
			}
			if err != nil {
				return steplog.Record{}, err
			}
		}
		n, err := o.open.Read(o.buf[:])
		if n > 0 {
			return steplog.Record{Stream: steplog.Stdout + steplog.Stream(o.at), Data: o.buf[:n]}, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return steplog.Record{}, err
		}
		if err == nil {
			continue // and no byte: ask again
		}
		if err := o.close(); err != nil {
			return steplog.Record{}, err
		}
		o.at++
	}
	return steplog.Record{}, io.EOF
}

func (o *output) close() error {
	if o.open == nil {
		return nil
	}
	err := o.open.Close()
	o.open = nil
	return err
}
