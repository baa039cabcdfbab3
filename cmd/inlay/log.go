package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/internal/steplog"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/spf13/cobra"
)

func (a *app) logCommand() *cobra.Command {
	var f follower
	c := &cobra.Command{
		Use:   "log [-f] [--times] [--stdout|--stderr] [--raw] [RUN|STEP]",
		Short: "write what the process of a step said",
		Long: "Write what the process of a step said, both streams in the order in which it was read; of a\n" +
			"run, what all of its steps said, each line with the number of its step. Of a step that\n" +
			"was cached it is what was said when it ran. -f waits for more until the step, or the run,\n" +
			"has ended, also while it runs elsewhere.\n\n" +
			"To a terminal, control sequences but colours are left out, unless --raw is given;\n" +
			"elsewhere bytes are as they are. Of a very long log the middle is not kept: where it\n" +
			"was is told.\n\n" + runNames,
		Example: `  inlay log last@failed
  inlay log -f last
  inlay log --times --stderr last@3
  inlay log --json last | jq -r 'select(.stream == "stderr").text'`,
		Args:              arguments(0, 1),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := runs.ParseName(strings.Join(args, ""))
			if err != nil {
				return usageError{err}
			}
			if f.stdout && f.stderr {
				return usageErrorf("--stdout and --stderr are both streams, which is what is written without them")
			}
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				f.session = s
				return f.write(ctx, n)
			})
		},
	}
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "wait for more until it has ended")
	c.Flags().BoolVarP(&f.times, "times", "t", false, "begin each line with when it came, and which stream it came by")
	c.Flags().BoolVar(&f.stdout, "stdout", false, "only standard output")
	c.Flags().BoolVar(&f.stderr, "stderr", false, "only standard error")
	c.Flags().BoolVar(&f.raw, "raw", false, "write control sequences to a terminal too")
	return a.jsonFlag(c)
}

// follower is one run of log.
type follower struct {
	*session
	follow, times, stdout, stderr, raw bool

	lines *logLines
	logs  []*stepLog // by step
}

// stepLog is the log of a step that is being written.
type stepLog struct {
	*runs.Log
	step   int // its number
	record steplog.Record
	ready  bool // record is the next one
	said   bool // there was one
	ended  bool // the step has, so there will be no more than there is
}

const (
	// look is how often it is looked whether a log that is followed has more.
	look = 20 * time.Millisecond
	// ask is how often the store is asked whether a step that is followed has ended.
	ask = 100 * time.Millisecond
)

func (f *follower) write(ctx context.Context, n runs.Name) (err error) {
	found, err := runs.Find(ctx, f.embedded.Store(), n)
	if err != nil {
		return err
	}
	n = pinned(found)
	f.lines = newLogLines(f, found.Step == nil)
	defer func() {
		for _, l := range f.logs {
			err = errors.Join(err, l.Close())
		}
	}()
	for {
		if err := f.open(ctx, found); err != nil {
			return err
		}
		over := !f.follow || found.Run.State != store.Running || found.Step != nil && found.Step.HasEnded()
		if err := f.until(ctx, over); err != nil {
			return err
		}
		if over {
			break
		}
		if found, err = runs.Find(ctx, f.embedded.Store(), n); err != nil {
			return err
		}
	}
	if err := f.lines.end(); err != nil {
		return err
	}
	f.ending(found)
	return nil
}

// pinned names what was found, so that it is found again when there are newer runs.
func pinned(f runs.Found) runs.Name {
	n := runs.Name{Run: f.Run.Name}
	if f.Step != nil {
		n.Step = fmt.Sprint(f.Step.Number())
	}
	return n
}

// open opens the logs that there are by now.
func (f *follower) open(ctx context.Context, found runs.Found) error {
	steps := found.Steps
	if found.Step != nil {
		steps = []runs.Step{*found.Step}
	}
	for _, st := range steps {
		if found.Step == nil && !st.HasProcess() {
			continue
		}
		at := slices.IndexFunc(f.logs, func(l *stepLog) bool { return l.step == st.Number() })
		if at >= 0 {
			f.logs[at].ended = st.HasEnded()
		}
		if at >= 0 && (f.logs[at].said || st.Log == nil) {
			continue
		}
		log, err := runs.OpenLog(ctx, f.embedded.Store(), f.embedded, found.Run.Name, st)
		if err != nil {
			return err
		}
		l := &stepLog{Log: log, step: st.Number(), ended: st.HasEnded()}
		if at < 0 {
			f.logs = append(f.logs, l)
			continue
		}
		// It turned out to be cached, and its log is elsewhere.
		if err := f.logs[at].Close(); err != nil {
			return err
		}
		f.logs[at] = l
	}
	return nil
}

// until writes what there is; and unless nothing more will come, what comes until
// it is time to ask again.
func (f *follower) until(ctx context.Context, over bool) error {
	for end := time.Now().Add(ask); ; {
		if err := f.drain(ctx); err != nil {
			return err
		}
		if over || !time.Now().Before(end) {
			return nil
		}
		if err := f.lines.idle(); err != nil {
			return err
		}
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drain writes all that is in the logs, in the order in which it came.
func (f *follower) drain(ctx context.Context) error {
	for {
		var first *stepLog
		for _, l := range f.logs {
			if err := l.peek(); err != nil {
				return err
			}
			if !l.ready && l.ended {
				if err := f.lines.finish(l.step); err != nil {
					return err
				}
			}
			if l.ready && (first == nil || l.record.Time.Before(first.record.Time)) {
				first = l
			}
		}
		if first == nil {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		first.ready = false
		if err := f.record(first.step, first.record); err != nil {
			return err
		}
	}
}

// peek reads the next record, unless it is read already or not there.
func (l *stepLog) peek() error {
	if l.ready {
		return nil
	}
	rec, err := l.Next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the log of step %d: %w", l.step, err)
	}
	l.record, l.ready, l.said = rec, true, true
	return nil
}

func (f *follower) record(step int, r steplog.Record) error {
	switch r.Stream {
	case steplog.Gap:
		if f.stdout {
			r.Stderr = 0
		}
		if f.stderr {
			r.Stdout = 0
		}
		if r.Stdout+r.Stderr == 0 {
			return nil
		}
	case steplog.Stdout:
		if f.stderr {
			return nil
		}
	case steplog.Stderr:
		if f.stdout {
			return nil
		}
	}
	return f.lines.add(step, r)
}

// ending tells what the log itself does not: whose it is, and how a step ended
// that did not succeed.
func (f *follower) ending(found runs.Found) {
	if !f.display.Output() || f.json {
		return
	}
	f.display.Pause()
	for _, l := range f.logs {
		st := found.Steps[l.step-1]
		name, kept := l.Name()
		switch {
		case !kept:
			f.tell(st, "cached; its log went with run "+st.Log.Run+": this is what the result has, without times")
		case st.State == runs.Cached:
			f.tell(st, "cached; this is from "+name.String())
		case st.State == runs.Done:
		case st.Process != nil && st.Process.NotLogged != "":
			f.tell(st, outcome(st.State, st.Started, st.Ended)+"; the log does not have all of it: "+st.Process.NotLogged)
		case st.Error != "":
			f.tell(st, outcome(st.State, st.Started, st.Ended)+": "+errorOf(st))
		default:
			f.tell(st, outcome(st.State, st.Started, st.Ended))
		}
	}
}

func (f *follower) tell(st runs.Step, text string) {
	fmt.Fprintf(f.session.stderr, "#%d %s: %s\n", st.Number(), show.Clean(strings.ReplaceAll(string(st.Call), "\n", " "), false), text)
}

// errorOf gives the error of a step in one line, without the call that it begins
// with.
func errorOf(st runs.Step) string {
	return cut(show.Clean(strings.ReplaceAll(strings.TrimPrefix(string(st.Error), string(st.Call)+": "), "\n", "; "), false))
}
