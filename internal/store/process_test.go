package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
)

// TestMain lets the test binary be the other process: INLAY_STORE_ROLE says
// what it does.
func TestMain(m *testing.M) {
	role := os.Getenv("INLAY_STORE_ROLE")
	if role == "" {
		os.Exit(m.Run())
	}
	seconds, _ := strconv.ParseFloat(os.Getenv("INLAY_STORE_SECONDS"), 64)
	until := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	var err error
	switch role {
	case "work":
		err = work(context.Background(), os.Getenv("INLAY_STORE_DIR"), until)
	case "collect":
		err = collectLoop(context.Background(), os.Getenv("INLAY_STORE_DIR"), until)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, role, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func process(t *testing.T, role, dir string, d time.Duration) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	check(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "INLAY_STORE_ROLE="+role, "INLAY_STORE_DIR="+dir,
		"INLAY_STORE_SECONDS="+strconv.FormatFloat(d.Seconds(), 'f', 3, 64))
	out := &bytes.Buffer{}
	cmd.Stderr, cmd.Stdout = out, out
	check(t, cmd.Start())
	return cmd, out
}

// work is a busy engine: it opens the store anew now and then, looks for
// results, trusts those that it gets, and makes those that it does not.
func work(ctx context.Context, dir string, until time.Time) error {
	sessions := 0
	defer func() { fmt.Println(sessions, "sessions") }()
	for ; time.Now().Before(until); sessions++ {
		s, err := store.Open(ctx, dir, options())
		if err != nil {
			return err
		}
		err = session(ctx, s, until)
		if err := errors.Join(err, s.Close(ctx)); err != nil {
			return err
		}
	}
	return nil
}

func session(ctx context.Context, s *store.Store, until time.Time) error {
	run, err := s.NewRun([]byte("{}"))
	if err != nil {
		return err
	}
	var trees []digest.Digest
	for i := range 20 {
		if !time.Now().Before(until) {
			break
		}
		tree, err := resolve(ctx, s, rand.IntN(60))
		if err != nil {
			return err
		}
		trees = append(trees, tree)
		if err := run.PutStep(ctx, store.Step{Index: i, Name: "x", State: "done", After: tree}); err != nil {
			return fmt.Errorf("put step: %w", err)
		}
		if rand.IntN(3) == 0 { // and one over it that is the run's own
			top := makeNode(fmt.Sprint("own", rand.IntN(100)), []digest.Digest{tree}, nil)
			step := store.Step{Index: 20 + i, Name: "x", State: "done", After: top.Digest}
			if err := s.Commit(ctx, store.Changes{Loose: true, Run: &store.RunChanges{Run: run, Nodes: []store.Node{top}, Steps: []store.Step{step}}}); err != nil {
				return fmt.Errorf("put a step with a node: %w", err)
			}
		}
		if rand.IntN(8) == 0 {
			if err := lookAtRun(ctx, s); err != nil {
				return fmt.Errorf("a run: %w", err)
			}
		}
		name := fmt.Sprint("ref", rand.IntN(5))
		if rand.IntN(3) == 0 {
			// A new tree over one that was shown long ago.
			old := trees[rand.IntN(len(trees))]
			in, err := s.NewIngest(ctx)
			if err != nil {
				return err
			}
			top := makeNode(fmt.Sprint("over", rand.IntN(100)), []digest.Digest{old}, nil)
			err = in.Nodes(top)
			if err := errors.Join(err, in.Commit(ctx, store.Changes{Refs: map[string]store.Record{name: {Trees: []digest.Digest{top.Digest}}}})); err != nil {
				return fmt.Errorf("commit over an old tree: %w", err)
			}
		}
		if rand.IntN(3) == 0 {
			if err := s.DeleteRef(ctx, name); err != nil && !errors.Is(err, store.ErrMissing) {
				return err
			}
		}
		if rand.IntN(4) == 0 {
			r, err := s.Ref(ctx, fmt.Sprint("ref", rand.IntN(5)))
			if err == nil {
				err = walk(ctx, s, r.Trees[0])
			} else if errors.Is(err, store.ErrMissing) {
				err = nil
			}
			if err != nil {
				return fmt.Errorf("a ref: %w", err)
			}
		}
	}
	for _, tree := range trees {
		if err := walk(ctx, s, tree); err != nil {
			return fmt.Errorf("at the end: %w", err)
		}
	}
	return run.End(ctx, "done", nil)
}

// resolve gives the tree of a number: a root over leaves that numbers share,
// over blobs that leaves share.
func resolve(ctx context.Context, s *store.Store, n int) (digest.Digest, error) {
	key := digest.Of(fmt.Append(nil, "key", n))
	r, ok, err := s.Result(ctx, key)
	if err != nil {
		return digest.Digest{}, err
	}
	if ok {
		return r.Trees[0], walk(ctx, s, r.Trees[0])
	}
	in, err := s.NewIngest(ctx)
	if err != nil {
		return digest.Digest{}, err
	}
	defer in.Abort()
	var leaves []digest.Digest
	for l := range 4 {
		var blobs []digest.Digest
		for b := range 5 {
			body := strings.Repeat(fmt.Sprintf("%d.%d ", (n+l)%20, b), 50)
			d := digest.Of([]byte(body))
			if missing, err := s.Missing(ctx, []digest.Digest{d}); err != nil {
				return d, err
			} else if len(missing) > 0 || rand.IntN(2) == 0 {
				if d, _, err = in.Put(ctx, strings.NewReader(body)); err != nil {
					return d, err
				}
			}
			blobs = append(blobs, d)
		}
		leaf := makeNode(fmt.Sprint("leaf", (n+l)%20), nil, blobs)
		missing, err := s.MissingNodes(ctx, []digest.Digest{leaf.Digest})
		if err != nil {
			return leaf.Digest, err
		}
		if len(missing) > 0 {
			if err := in.Nodes(leaf); err != nil {
				return leaf.Digest, err
			}
		}
		leaves = append(leaves, leaf.Digest)
	}
	root := makeNode(fmt.Sprint("root", n), leaves, nil)
	if err := in.Nodes(root); err != nil {
		return root.Digest, err
	}
	rec := store.Record{Trees: []digest.Digest{root.Digest}}
	if err := in.Commit(ctx, store.Changes{Results: map[digest.Digest]store.Record{key: rec}}); err != nil {
		return root.Digest, err
	}
	return root.Digest, walk(ctx, s, root.Digest)
}

// lookAtRun reads all trees of a run, of which others may remove all.
func lookAtRun(ctx context.Context, s *store.Store) error {
	runs, err := s.Runs(ctx)
	if err != nil || len(runs) == 0 {
		return err
	}
	steps, err := s.Steps(ctx, runs[rand.IntN(len(runs))].Name)
	if errors.Is(err, store.ErrMissing) {
		return nil
	}
	for _, step := range steps {
		if err == nil {
			err = walk(ctx, s, step.After)
		}
	}
	return err
}

func walk(ctx context.Context, s *store.Store, tree digest.Digest) error {
	data, err := s.Node(ctx, tree)
	if errors.Is(err, store.ErrMissing) {
		data, err = s.RunNode(ctx, tree)
	}
	if err != nil {
		return err
	}
	nodes, blobs, err := references(data)
	if err != nil {
		return err
	}
	for _, d := range nodes {
		if err := walk(ctx, s, d); err != nil {
			return err
		}
	}
	for _, d := range blobs {
		b, err := s.OpenBlob(ctx, d)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, digest.Verify(b, d, b.Size()))
		if err := errors.Join(err, b.Close()); err != nil {
			return err
		}
	}
	return nil
}

func collectLoop(ctx context.Context, dir string, until time.Time) error {
	n, removed := 0, 0
	for ; time.Now().Before(until); n++ {
		s, err := store.Open(ctx, dir, options())
		if err != nil {
			return err
		}
		r, err := s.GC(ctx, store.GCOptions{KeepBytes: []int64{-1, 5000, 0}[rand.IntN(3)], KeepRuns: rand.IntN(4) - 1})
		removed += r.Blobs
		if err := errors.Join(err, s.Close(ctx)); err != nil {
			return err
		}
	}
	fmt.Println(n, "collections removed", removed, "blobs")
	return nil
}

// seconds of the test, or as many as INLAY_STORE_SOAK says.
func soak(t *testing.T, d time.Duration) time.Duration {
	if text := os.Getenv("INLAY_STORE_SOAK"); text != "" {
		long, err := time.ParseDuration(text)
		check(t, err)
		return long
	}
	if testing.Short() {
		return d / 4
	}
	return d
}

func TestProcessesWorkBesideACollector(t *testing.T) {
	dir := t.TempDir() + "/store"
	d := soak(t, 4*time.Second)
	type other struct {
		*exec.Cmd
		out *bytes.Buffer
	}
	var others []other
	for _, role := range []string{"work", "work", "collect"} { // they also race to make the store
		cmd, out := process(t, role, dir, d)
		others = append(others, other{cmd, out})
	}
	for _, o := range others {
		if err := o.Wait(); err != nil {
			t.Errorf("%v: %s", err, o.out)
		}
		t.Logf("%s", o.out)
	}
	s := open(t, dir)
	fsckClean(t, s)
	_, err := s.GC(t.Context(), store.GCOptions{KeepRuns: -1})
	check(t, err)
	fsckClean(t, s)
}

func TestKilledProcessesLeaveASoundStore(t *testing.T) {
	dir := t.TempDir() + "/store"
	times := 20
	if text := os.Getenv("INLAY_STORE_KILLS"); text != "" {
		var err error
		times, err = strconv.Atoi(text)
		check(t, err)
	}
	for i := range times {
		role := "work"
		if i%4 == 3 {
			role = "collect"
		}
		cmd, out := process(t, role, dir, time.Minute)
		time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond)
		cmd.Process.Kill()
		if err := cmd.Wait(); err == nil || out.Len() > 0 && !strings.Contains(err.Error(), "killed") {
			t.Fatalf("%v: %s", err, out)
		}
		s := open(t, dir)
		fsckClean(t, s)
		check(t, s.Close(t.Context()))
	}
	check(t, work(t.Context(), dir, time.Now().Add(200*time.Millisecond)))
	s := open(t, dir)
	runs, err := s.Runs(t.Context())
	check(t, err)
	for _, r := range runs {
		if r.State == store.Running {
			t.Errorf("run %s of a dead process is running", r.Name)
		}
	}
	_, err = s.GC(t.Context(), store.GCOptions{})
	check(t, err)
	fsckClean(t, s)
	if left := files(t, dir+"/ingest"); len(left) > 0 {
		t.Errorf("left in ingest: %v", left)
	}
	check(t, s.Close(t.Context()))
	for _, f := range files(t, dir+"/leases") {
		if f[0] != '.' {
			t.Errorf("left in leases: %s", f)
		}
	}
}
