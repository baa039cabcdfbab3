package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
	"golang.org/x/sys/unix"
)

// What others name while the store is verified is there, and stays named.
func TestFsckTakesNothingForMissingThatIsBeingWritten(t *testing.T) {
	for name, change := range map[string]func(*store.Run, int, digest.Digest) store.Changes{
		"steps": func(r *store.Run, i int, tree digest.Digest) store.Changes {
			return store.Changes{Loose: true, Run: &store.RunChanges{Run: r, Steps: []store.Step{{Index: i, Name: "x", State: "done", After: tree}}}}
		},
		"refs": func(_ *store.Run, i int, tree digest.Digest) store.Changes {
			return store.Changes{Refs: map[string]store.Record{fmt.Sprint("r", i): {Trees: []digest.Digest{tree}}}}
		},
		"results": func(_ *store.Run, _ int, tree digest.Digest) store.Changes {
			return store.Changes{Results: map[digest.Digest]store.Record{tree: {Trees: []digest.Digest{tree}}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			in, err := s.NewIngest(t.Context())
			check(t, err)
			for i := range 5000 { // so that it takes a while
				check(t, in.Nodes(makeNode(fmt.Sprint("n", i), nil, nil)))
			}
			check(t, in.Commit(t.Context(), store.Changes{Loose: true}))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			w := open(t, s.Dir())
			run, err := w.NewRun([]byte("{}"))
			check(t, err)
			go func() {
				for i := 0; ; i++ {
					n := makeNode(fmt.Sprint("new", i), nil, nil)
					in, err := w.NewIngest(ctx)
					if err == nil {
						err = errors.Join(in.Nodes(n), in.Commit(ctx, change(run, i, n.Digest)))
					}
					if err != nil {
						ended <- err
						return
					}
				}
			}()
			for range 3 {
				r, err := s.Fsck(t.Context())
				check(t, err)
				if len(r.Problems) > 0 {
					t.Fatalf("%d problems, the first is %v", len(r.Problems), r.Problems[0])
				}
			}
			stop()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		})
	}
}

// What is no run, in the place of one, is none; all others stay what they are.
func TestWhatIsNoRunInThePlaceOfOneDoesNoHarm(t *testing.T) {
	const at = "20990101-000000.000000-AAAA"
	for name, put := range map[string]func(p string) error{
		"a directory":    func(p string) error { return os.Mkdir(p, 0o700) },
		"a full one":     func(p string) error { return os.MkdirAll(filepath.Join(p, "record"), 0o700) },
		"a fifo":         func(p string) error { return unix.Mkfifo(p, 0o600) },
		"a symlink":      func(p string) error { return os.Symlink("nowhere", p) },
		"a loop":         func(p string) error { return os.Symlink(filepath.Base(p), p) },
		"a link to logs": func(p string) error { return os.Symlink("../logs", p) },
		"nothing in it":  func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"zeros":          func(p string) error { return os.WriteFile(p, make([]byte, 5000), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			run, err := s.NewRun([]byte("{}"))
			check(t, err)
			check(t, run.End(t.Context(), "done", nil))
			check(t, put(filepath.Join(s.Dir(), "runs", at)))
			ended := make(chan error, 1)
			go func() { ended <- looksAndCollects(t.Context(), s, run.Name()) }()
			select {
			case err := <-ended:
				check(t, err)
			case <-time.After(time.Minute):
				t.Fatal("it hangs")
			}
		})
	}
}

// Who died while it removed a run, or a power cut, leaves logs of which nobody knows: the
// next look at old runs removes them, and no others.
func TestLogsThatLostTheirRecordGo(t *testing.T) {
	for name, look := range map[string]func(s *store.Store) error{
		"with a collection": func(s *store.Store) error {
			_, err := s.GC(t.Context(), store.GCOptions{})
			return err
		},
		"with old runs": func(s *store.Store) error {
			_, err := s.TrimRuns(t.Context(), store.GCOptions{KeepRuns: 3})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			var stay []string
			for i := range 4 {
				run, err := s.NewRun([]byte("{}"))
				check(t, err)
				f, err := run.Log(1)
				check(t, err)
				check(t, f.Close())
				record := filepath.Join(s.Dir(), "runs", run.Name())
				if i == 3 { // it goes on
					defer run.End(t.Context(), "done", nil)
				} else {
					check(t, run.End(t.Context(), "done", nil))
				}
				switch i {
				case 0:
					check(t, os.Remove(record))
				case 1:
					check(t, os.Truncate(record, 0))
				default:
					stay = append(stay, run.Name())
				}
			}
			check(t, look(s))
			runs, logs := files(t, filepath.Join(s.Dir(), "runs")), files(t, filepath.Join(s.Dir(), "logs"))
			if !slices.Equal(runs, stay) || !slices.Equal(logs, []string{stay[0] + "/1.log", stay[1] + "/1.log"}) {
				t.Fatalf("runs %v with logs %v, want %v", runs, logs, stay)
			}
		})
	}
}

// What a process that died left in the place of a run keeps no run from being kept.
func TestARunThatNeverBeganIsNotCounted(t *testing.T) {
	s := open(t, t.TempDir())
	for range 3 {
		run, err := s.NewRun([]byte("{}"))
		check(t, err)
		check(t, run.End(t.Context(), "done", nil))
	}
	at := filepath.Join(s.Dir(), "runs", "20990101-000000.000000-AAAA")
	look := func(removed int, err error) {
		t.Helper()
		if removed != 0 || err != nil {
			t.Fatalf("%d runs were removed: %v", removed, err)
		}
		if runs, err := s.Runs(t.Context()); err != nil || len(runs) != 3 {
			t.Fatalf("%+v %v", runs, err)
		}
		if left := files(t, filepath.Join(s.Dir(), "runs")); len(left) != 3 {
			t.Fatalf("left: %v", left)
		}
	}
	for i := range 5 {
		check(t, os.WriteFile(at+fmt.Sprint(i), nil, 0o600))
	}
	look(s.TrimRuns(t.Context(), store.GCOptions{KeepRuns: 3}))
	check(t, os.WriteFile(at, nil, 0o600))
	check(t, os.WriteFile(at+"B", make([]byte, 100), 0o600)) // by a power cut
	r, err := s.GC(t.Context(), store.GCOptions{KeepRuns: 3})
	look(r.Runs, err)
}

// A run begins even if who was about to remove its record died in between.
func TestARunTakesOverTheRecordThatItMadeBefore(t *testing.T) {
	s := open(t, t.TempDir())
	run, err := s.NewRun([]byte("{}"))
	check(t, err)
	check(t, os.WriteFile(filepath.Join(s.Dir(), "runs", run.Name()), nil, 0o600))
	check(t, run.Begin())
	check(t, run.End(t.Context(), "done", nil))
	if runs, err := s.Runs(t.Context()); err != nil || len(runs) != 1 || runs[0].State != "done" {
		t.Fatalf("%+v %v", runs, err)
	}
}

func TestFsckNamesDamagedRecords(t *testing.T) {
	s := open(t, t.TempDir())
	tree, _ := ingest(t, s, "", "body")
	run, err := s.NewRun([]byte("{}"))
	check(t, err)
	check(t, run.PutStep(t.Context(), store.Step{Name: "x", State: "done", After: tree}))
	check(t, run.End(t.Context(), "done", nil))
	p := filepath.Join(s.Dir(), "runs", run.Name())
	b, err := os.ReadFile(p)
	check(t, err)
	check(t, os.WriteFile(p, bytes.Replace(b, []byte("sha256:"), []byte("sha256;"), 1), 0o600))
	r, err := s.Fsck(t.Context())
	check(t, err)
	if len(r.Problems) != 1 || r.Problems[0].Kind != store.KindRun || r.Problems[0].Name != run.Name() {
		t.Fatalf("it found %v", r.Problems)
	}
}

// looksAndCollects does what reads runs, of which there is one.
func looksAndCollects(ctx context.Context, s *store.Store, name string) error {
	for range 2 {
		runs, err := s.Runs(ctx)
		if err != nil || len(runs) != 1 || runs[0].Name != name || runs[0].State != "done" {
			return fmt.Errorf("the runs are %+v: %w", runs, err)
		}
		if _, err := s.Steps(ctx, "20990101-000000.000000-AAAA"); !errors.Is(err, store.ErrMissing) {
			return fmt.Errorf("the steps of what is no run: %w", err)
		}
		u, err := s.Du(ctx)
		if err != nil || u.Runs != 1 {
			return fmt.Errorf("%d runs: %w", u.Runs, err)
		}
		r, err := s.Fsck(ctx)
		if err != nil || len(r.Problems) > 0 {
			return fmt.Errorf("fsck says %v: %w", r, err)
		}
		if _, err := s.GC(ctx, store.GCOptions{KeepRuns: 100}); err != nil {
			return err
		}
	}
	return nil
}
