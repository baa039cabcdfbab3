package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/store"
)

// script gives the node of a script that runs in a root of busybox.
func script(t testing.TB, x graph.Exec, text string) *graph.Node {
	t.Helper()
	x.Args = []string{"/bin/busybox", "sh", "-ec", text}
	return graph.New(x, "WithExec()", enginetest.Busybox(t))
}

// grep gives the files below dir that hold any of the needles.
func grep(t testing.TB, dir string, needles ...string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(p)
		for _, n := range needles {
			if bytes.Contains(b, []byte(n)) {
				found = append(found, p+": "+n)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSecretReachesNeitherStoreNorKeyNorLogNorImage(t *testing.T) {
	needsProcesses(t)
	value := "s3cret-" + strings.Repeat("Zq9", 5)
	dir := t.TempDir()
	var mu sync.Mutex
	var seen bytes.Buffer
	sink := engine.SinkFunc(func(ev engine.Event) {
		if o, ok := ev.(engine.Output); ok {
			mu.Lock()
			defer mu.Unlock()
			seen.Write(o.Data)
		}
	})
	e := open(t, embedded.Options{Store: filepath.Join(dir, "store"), Record: true,
		Secret: func(context.Context, string) ([]byte, error) { return []byte(value), nil }})
	x := graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountSecret, Target: "/run/secret", Name: "env:X"}}}
	// One piece, in two writes, and in the end of a process that fails.
	good := script(t, x, `cat /run/secret; cat /run/secret >&2; s=$(cat /run/secret); echo -n "${s%Zq9}"; busybox sleep 0.1; echo Zq9; echo "a${s}b$s"`)
	r, err := e.Resolve(t.Context(), good, sink)
	if err != nil {
		t.Fatal(err)
	}
	if r.Exec.Stdout.Size == 0 || !strings.Contains(seen.String(), "***") {
		t.Errorf("it said %q", seen.String())
	}
	_, err = e.Resolve(t.Context(), script(t, x, "cat /run/secret >&2; cat /run/secret; exit 3"), sink)
	var fail *engine.ExecError
	if !errors.As(err, &fail) || string(fail.Stderr) != "***" || string(fail.Stdout) != "***" {
		t.Errorf("error %v with %+v", err, fail)
	}
	if strings.Contains(seen.String(), value) {
		t.Errorf("an event has the secret: %q", seen.String())
	}
	if _, err := e.Export(t.Context(), r, engine.Place{Scheme: engine.SchemeOCI, Path: filepath.Join(dir, "image")}, engine.ExportOptions{Compression: engine.Uncompressed}); err != nil {
		t.Fatal(err)
	}
	if found := grep(t, dir, value); len(found) > 0 {
		t.Errorf("the secret is in %s", found)
	}
	// Another value is no other exec.
	value = "another-value"
	cached := false
	if _, err := e.Resolve(t.Context(), good, engine.SinkFunc(func(ev engine.Event) {
		if end, ok := ev.(engine.StepEnded); ok {
			cached = end.Cached
		}
	})); err != nil || !cached {
		t.Errorf("with another value of the secret it ran again (%v)", err)
	}
	nothingInMemory(t)
	sound(t, e)
}

// nothingInMemory fails the test when secrets are left in memory that no living
// process has.
func nothingInMemory(t testing.TB) {
	t.Helper()
	left, _ := filepath.Glob("/dev/shm/inlay-secrets-*")
	for _, p := range left {
		f, err := os.Open(p)
		if err != nil {
			continue // another process removed it
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			if _, err := os.Stat(p); err == nil {
				t.Errorf("left: %s", p)
			}
		}
		f.Close()
	}
}

// nothingLeft fails the test when a store has mounts, processes or half-made
// things in it.
func nothingLeft(t testing.TB, dir string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), dir) {
		t.Errorf("something is mounted in %s", dir)
	}
	for _, pattern := range []string{"ingest/*", "state/*", "roots/run-*"} {
		left, err := filepath.Glob(filepath.Join(dir, pattern))
		for i := 0; i < 100 && len(left) > 0; i++ { // roots are removed behind
			time.Sleep(20 * time.Millisecond)
			left, err = filepath.Glob(filepath.Join(dir, pattern))
		}
		if err != nil || len(left) > 0 {
			t.Errorf("left: %s (%v)", left, err)
		}
	}
	nothingInMemory(t)
}

func TestWhateverAProcessDoesNothingIsLeft(t *testing.T) {
	needsProcesses(t)
	for name, c := range map[string]struct {
		text   string
		cancel time.Duration
	}{
		"it ends":     {"true", 0},
		"it fails":    {"echo 1 > /f; exit 1", 0},
		"it is ended": {"busybox sleep 1000 & echo 1 > /f; busybox sleep 1000", 300 * time.Millisecond},
		"it writes":   {"while :; do echo 1 >> /f; done", 300 * time.Millisecond},
		"it floods":   {"busybox yes", 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			e, err := embedded.Open(t.Context(), embedded.Options{Store: dir, Secret: enginetest.Secret, Record: true})
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			if c.cancel > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.cancel)
				defer cancel()
			}
			x := graph.Exec{Mounts: []graph.Mount{
				{Kind: graph.MountSecret, Target: "/run/s", Name: "env:LAW"}, {Kind: graph.MountTemp, Target: "/m"}, {Kind: graph.MountCache, Target: "/c", Name: "c"}}}
			_, err = e.Resolve(ctx, script(t, x, c.text), nil)
			if c.cancel > 0 && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			sound(t, e)
			runs, err := e.Store().Runs(t.Context())
			if err != nil || len(runs) != 1 || runs[0].State == store.Running {
				t.Errorf("runs %+v, %v", runs, err)
			}
			if err := e.Close(t.Context()); err != nil {
				t.Error(err)
			}
			nothingLeft(t, dir)
		})
	}
}

func TestEqualExecsRunOnceThoughAskedAtOnce(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{Secret: enginetest.Secret})
	var nodes []*graph.Node
	for range 6 {
		nodes = append(nodes, script(t, graph.Exec{}, "busybox head -c 16 /dev/urandom > /f; busybox sleep 0.2"))
	}
	n := graph.New(graph.Merge{}, "merge", nodes...)
	ran := 0
	r, err := e.Resolve(t.Context(), n, engine.SinkFunc(func(ev engine.Event) {
		if end, ok := ev.(engine.StepEnded); ok && !end.Cached && end.Took > 200*time.Millisecond {
			ran++
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	one, err := e.Resolve(t.Context(), nodes[0], nil)
	if err != nil || one.Tree.Digest() != r.Tree.Digest() {
		t.Errorf("equal execs have different results (%v)", err)
	}
}

func TestTheErrorIsTheFailureAndNotThatOthersEnded(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{})
	slow := script(t, graph.Exec{}, "busybox sleep 100")
	bad := script(t, graph.Exec{}, "busybox sleep 0.2; exit 5")
	n := graph.New(graph.Merge{}, "merge", graph.New(graph.Merge{}, "a", slow, bad), graph.New(graph.Merge{}, "b", slow))
	_, err := e.Resolve(t.Context(), n, nil)
	var fail *engine.ExecError
	if !errors.As(err, &fail) || fail.ExitCode != 5 {
		t.Errorf("error %v", err)
	}
}

func TestLargeOutputIsKeptWholeAndItsEndIsInTheError(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{})
	r, err := e.Resolve(t.Context(), script(t, graph.Exec{}, "busybox yes 0123456789abcde | busybox head -c 32000000"), nil)
	if err != nil || r.Exec.Stdout.Size != 32000000 {
		t.Fatalf("%v, %+v", err, r.Exec)
	}
	_, err = e.Resolve(t.Context(), script(t, graph.Exec{}, "busybox yes | busybox head -c 3000000; echo; echo end; exit 1"), nil)
	var fail *engine.ExecError
	if !errors.As(err, &fail) || len(fail.Stdout) > 1<<20 || !bytes.HasSuffix(fail.Stdout, []byte("\nend\n")) {
		t.Errorf("error %v", err)
	}
}

func TestRunsAreRecordedWithStepsTreesAndLogs(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{Record: true, Asked: "a pipeline", Secret: enginetest.Secret})
	x := graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountSecret, Target: "/s", Name: "env:LAW"}}}
	n := graph.New(graph.NewFile{Path: "/after"}, `WithNewFile("/after")`, script(t, x, "echo out; echo err >&2; cat /s"))
	var last engine.Result
	for i, want := range []store.RunState{runs.Done, runs.Cached} {
		var err error
		if last, err = e.Resolve(t.Context(), n, nil); err != nil {
			t.Fatal(err)
		}
		list, err := e.Store().Runs(t.Context())
		if err != nil || len(list) != i+1 {
			t.Fatalf("runs %+v, %v", list, err)
		}
		if run := list[i]; run.State != runs.Done || !bytes.Contains(run.Data, []byte(`"a pipeline"`)) || run.Ended.IsZero() {
			t.Errorf("run %+v", run)
		}
		steps, err := e.Store().Steps(t.Context(), list[i].Name)
		if err != nil || len(steps) < 3 {
			t.Fatalf("steps %+v, %v", steps, err)
		}
		end, exec := steps[len(steps)-1], steps[len(steps)-2]
		if exec.State != want || exec.Name != "with-exec" || end.After != last.Tree.Digest() || end.Before != exec.After || exec.Ended.IsZero() {
			t.Errorf("steps %+v, %+v", exec, end)
		}
		f, err := e.Store().OpenLog(list[i].Name, exec.Index)
		if i == 1 {
			if err == nil {
				f.Close()
				t.Error("a step that did not run has a log")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		if _, err := log.ReadFrom(f); err != nil {
			t.Error(err)
		}
		f.Close()
		for _, want := range []string{"out\n", "err\n", "***"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log is %q", log.String())
			}
		}
	}
	if _, err := e.Resolve(t.Context(), script(t, graph.Exec{}, "exit 4"), nil); err == nil {
		t.Fatal("no error")
	}
	list, _ := e.Store().Runs(t.Context())
	steps, err := e.Store().Steps(t.Context(), list[2].Name)
	if err != nil || list[2].State != runs.Failed || steps[len(steps)-1].State != runs.Failed || !bytes.Contains(steps[len(steps)-1].Data, []byte("code 4")) {
		t.Errorf("run %+v, steps %+v, %v", list[2], steps, err)
	}
	sound(t, e)
}

func TestMethodsGiveEqualTreesOfOneExec(t *testing.T) {
	needsProcesses(t)
	// Times are set, so that the trees are equal to the last bit.
	text := "mkdir -p /w/d; echo 1 > /w/d/f; ln /w/d/f /w/g; chmod 6755 /w/g; rm -r /tmp; mv /etc /w/etc; for p in /w/d/f /w/d /w/etc /w /; do touch -d @1000000000 $p; done"
	for _, applet := range strings.Fields("mkdir ln chmod rm mv touch") {
		text = applet + "() { busybox " + applet + ` "$@"; }; ` + text
	}
	digests := map[string]bool{}
	for _, m := range []checkout.Method{checkout.EROFS, checkout.Loop, checkout.Metadata, checkout.Copy, checkout.Plain} {
		e, err := embedded.Open(t.Context(), embedded.Options{Store: filepath.Join(t.TempDir(), "store"), Root: m})
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.Resolve(t.Context(), script(t, graph.Exec{}, text), nil)
		if err != nil {
			t.Errorf("%s: %v", m, err)
		} else {
			digests[r.Tree.Digest().String()] = true
			t.Logf("%s: %s", m, r.Tree.Digest())
		}
		sound(t, e)
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if len(digests) != 1 {
		t.Errorf("different trees: %v", digests)
	}
}

// The umask of who runs this is no part of a graph.
func TestTheUmaskOfTheCallerIsNotSeen(t *testing.T) {
	needsProcesses(t)
	if syscall.Getuid() != 0 {
		t.Skip("needs root")
	}
	workdir := "/w/dir"
	x := graph.Exec{Mounts: []graph.Mount{
		{Kind: graph.MountTemp, Target: "/way/to/temp"},
		{Kind: graph.MountCache, Target: "/other/way/cache", Name: "umask"},
		{Kind: graph.MountSecret, Target: "/third/way/secret", Name: "env:X"},
	}}
	n := script(t, x, `umask; echo > /way/n; echo > /other/n; echo > /third/n; cd /; for p in way way/to way/to/temp other other/way other/way/cache third third/way third/way/secret w w/dir dev tmp way/n; do busybox stat -c '%n %a %u:%g' $p; done; busybox touch -d @5 way way/n other other/n third third/n w w/dir / || :`)
	in := n.Inputs()[0]
	n = graph.New(n.Op(), "exec", graph.New(graph.Configure{Workdir: &workdir}, "workdir", in))
	var said, left []string
	for _, mask := range []int{0o022, 0o077, 0} {
		func() {
			before := syscall.Umask(mask)
			defer syscall.Umask(before)
			e := open(t, embedded.Options{Secret: func(context.Context, string) ([]byte, error) { return []byte("value"), nil }})
			r, err := e.Resolve(t.Context(), n, nil)
			if err != nil {
				t.Fatal(err)
			}
			said = append(said, readContent(t, e, r.Exec.Stdout))
			left = append(left, r.Tree.Digest().String())
		}()
	}
	for i := range said {
		if said[i] != said[0] || left[i] != left[0] {
			t.Errorf("%s\n%s\nwant\n%s\n%s", left[i], said[i], left[0], said[0])
		}
	}
}
