package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/store"
)

// child is what this test binary does as another process: $INLAY_TEST_TASK says
// it, $INLAY_TEST_STORE and $INLAY_TEST_SOURCE what with.
func child(task string) int {
	ctx := context.Background()
	dir, source := os.Getenv("INLAY_TEST_STORE"), os.Getenv("INLAY_TEST_SOURCE")
	err := func() error {
		switch task {
		case "import":
			return session(ctx, dir, func(e *embedded.Engine) error {
				p, err := engine.ParsePlace(source)
				if err == nil {
					_, err = e.Import(ctx, p, "base", embedded.ImportOptions{})
				}
				return err
			})
		case "sleep":
			return session(ctx, dir, func(e *embedded.Engine) error {
				program, err := exec.LookPath("busybox")
				if err != nil {
					return err
				}
				n := graph.New(graph.Host{Path: program, File: true}, "host")
				n = graph.New(graph.NewFile{Path: "/made/by/parents"}, "new", n)
				n = graph.New(graph.Exec{Args: []string{"/busybox", "sh", "-c", "echo begun; /busybox sleep 60"}}, "exec", n)
				_, err = e.Resolve(ctx, n, nil)
				return err
			})
		case "pipeline":
			return pipeline(ctx, dir, source, os.Getenv("INLAY_TEST_SEED"))
		case "cache":
			return cached(ctx, dir, source, os.Getenv("INLAY_TEST_CACHE"), os.Getenv("INLAY_TEST_SEED"))
		case "pipelines", "collect":
			seconds, _ := strconv.ParseFloat(os.Getenv("INLAY_TEST_SECONDS"), 64)
			return repeatedly(ctx, task, dir, source, time.Duration(seconds*float64(time.Second)))
		}
		return fmt.Errorf("no task %q", task)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, task+":", err)
		var x *engine.ExecError
		if errors.As(err, &x) {
			os.Stderr.Write(x.Stderr)
		}
		return 1
	}
	return 0
}

func session(ctx context.Context, dir string, do func(*embedded.Engine) error) error {
	e, err := embedded.Open(ctx, embedded.Options{Store: dir, Record: true,
		Secret: func(context.Context, string) ([]byte, error) { return []byte("a secret of the child"), nil }})
	if err != nil {
		return err
	}
	return errors.Join(do(e), e.Close(ctx))
}

// pipeline imports, composes, runs processes and exports.
func pipeline(ctx context.Context, dir, source, seed string) error {
	return session(ctx, dir, func(e *embedded.Engine) error {
		n := graph.New(graph.From{Source: source}, "From")
		n = graph.New(graph.NewFile{Path: "/w/seed", Content: []byte(seed)}, "WithNewFile", n)
		for i := range 2 {
			sh := fmt.Sprintf("busybox seq 1 2000 > /w/%d; for i in a b c d e f g h; do echo %s $i > /w/${i}%d; done; busybox mkdir /w/dir%d; busybox cp /w/a%d /w/dir%d/; cat() { busybox cat \"$@\"; }; cat /run/s > /dev/null", i, seed, i, i, i, i)
			x := graph.Exec{Args: []string{"/bin/busybox", "sh", "-ec", sh}, Mounts: []graph.Mount{
				{Kind: graph.MountCache, Target: "/c", Name: "shared"}, {Kind: graph.MountSecret, Target: "/run/s", Name: "env:X"}}}
			n = graph.New(x, "WithExec", n)
		}
		r, err := e.Resolve(ctx, n, nil)
		if err != nil {
			return err
		}
		out, err := os.MkdirTemp(filepath.Dir(dir), "out-") // goes with the test, should this be killed
		if err != nil {
			return err
		}
		defer os.RemoveAll(out)
		_, err = e.Export(ctx, r, engine.Place{Scheme: engine.SchemeOCI, Path: out + "/image"}, engine.ExportOptions{})
		return err
	})
}

// cached reads from a cache, runs a process on what it found, and writes to it.
func cached(ctx context.Context, dir, source, at, seed string) (err error) {
	e, err := embedded.Open(ctx, embedded.Options{Store: dir, Record: true,
		CacheFrom: []engine.Cache{cacheOf("type=local,trust=true,src=" + at)}, CacheTo: []engine.Cache{cacheOf("type=local,dest=" + at)}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close(ctx)) }()
	n := graph.New(graph.From{Source: source}, "From")
	for _, what := range []string{"first", seed} {
		sh := fmt.Sprintf("for i in a b c d e f g h; do busybox cp /bin/busybox /$i-%[1]s; echo %[1]s >> /$i-%[1]s; done", what)
		n = graph.New(graph.Exec{Args: []string{"/bin/busybox", "sh", "-ec", sh}}, "WithExec", n)
	}
	if _, err := e.Resolve(ctx, n, nil); err != nil {
		return err
	}
	_, err = e.ExportCache(ctx, nil)
	return err
}

// repeatedly runs pipelines, or collects, until the time is over.
func repeatedly(ctx context.Context, task, dir, source string, d time.Duration) error {
	n := 0
	for until := time.Now().Add(d); time.Now().Before(until); n++ {
		var err error
		if task == "collect" {
			keep := int64(0)
			if n%3 == 0 {
				keep = 1 << 20
			}
			err = session(ctx, dir, func(e *embedded.Engine) error {
				_, err := e.Collect(ctx, store.GCOptions{KeepBytes: keep, KeepRuns: 3})
				return err
			})
			time.Sleep(20 * time.Millisecond)
		} else {
			err = pipeline(ctx, dir, source, strconv.Itoa(n%7))
		}
		if err != nil {
			return fmt.Errorf("round %d: %w", n, err)
		}
	}
	fmt.Println(task, n, "rounds")
	return nil
}
