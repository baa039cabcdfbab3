package buildkit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	"github.com/tonistiigi/fsutil"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/daemon"
)

// bench is an engine with its remote, for who asks the latter for what users do not.
func bench(b *testing.B) (*embedded.Run, *buildkit.Remote) {
	var r *buildkit.Remote
	at := address(b)
	e, err := embedded.Open(b.Context(), embedded.Options{
		Store: filepath.Join(b.TempDir(), "store"), Secret: enginetest.Secret,
		Remote: func(l engine.Local) (_ engine.Remote, err error) {
			r, err = buildkit.New(buildkit.Options{Addresses: []daemon.Address{at}}, l)
			return r, err
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	run := e.Begin("") // so that the base is resolved once
	b.Cleanup(func() { run.Close(b.Context()) })
	return run, r
}

// resolve resolves a node, and gives what the daemon holds of it.
func resolve(b *testing.B, e *embedded.Run, n *graph.Node) engine.Result {
	b.Helper()
	r, err := e.Resolve(b.Context(), n, nil)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// pairs measures ours and what is written by hand in turns, so that both meet the
// same machine, and tells how they compare. What prepare does is not counted.
func pairs(b *testing.B, prepare func(i int), ours, byHand func(i int) error) {
	var took [2]time.Duration
	i := int(time.Now().UnixNano() % 1e9)
	for b.Loop() {
		for k, f := range []func(int) error{ours, byHand} {
			prepare(i)
			began := time.Now()
			if err := f(i); err != nil {
				b.Fatal(err)
			}
			took[k] += time.Since(began)
			i++
		}
	}
	n := float64(b.N)
	b.ReportMetric(took[0].Seconds()*1e3/n, "ours-ms")
	b.ReportMetric(took[1].Seconds()*1e3/n, "by-hand-ms")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "ours/by-hand")
}

// BenchmarkFileIntoImage is the case that Inlay began with: a file of this machine
// put at /bin/tmate of an image in which /bin is a symlink. By hand it is copied to
// where the author knows that it belongs, and merged: from a directory of this machine,
// as builds do, or written into the definition, which is the least that can be done.
func BenchmarkFileIntoImage(b *testing.B) {
	ref := registry(b) + "/busybox:1"
	push(b, openHere(b, embedded.Options{}), enginetest.Busybox(b), ref)
	for _, c := range []struct {
		name   string
		byHand func(b *testing.B, r *buildkit.Remote, base llb.State) func(content []byte) error
	}{{"local", fromDirectory}, {"inline", inDefinition}} {
		b.Run(c.name, func(b *testing.B) {
			e, r := bench(b)
			base := from(ref)
			held := resolve(b, e, base)
			byHand := c.byHand(b, r, buildkit.StateOf(held.Held))
			content := make([]byte, 650<<10)
			pairs(b, func(i int) { copy(content, fmt.Sprint(i)) }, func(int) error {
				tool := graph.New(graph.NewFile{Path: "/tmate", Content: content, Options: graph.CopyOptions{Mode: "0755"}}, "tmate", graph.New(graph.Scratch{}, "scratch"))
				res, err := e.Resolve(b.Context(), graph.New(graph.Copy{To: "/bin/tmate", From: []string{"/tmate"}}, "with-file", base, tool), nil)
				if err == nil {
					_, err = r.Make(b.Context(), res)
				}
				return err
			}, func(int) error { return byHand(content) })
		})
	}
}

func inDefinition(b *testing.B, r *buildkit.Remote, base llb.State) func([]byte) error {
	return func(content []byte) error {
		return r.Solve(b.Context(), llb.Merge([]llb.State{
			base, llb.Scratch().File(llb.Mkdir("/usr/bin", 0o755, llb.WithParents(true)).Mkfile("/usr/bin/tmate", 0o755, content)),
		}))
	}
}

func fromDirectory(b *testing.B, _ *buildkit.Remote, base llb.State) func([]byte) error {
	c, err := client.New(b.Context(), address(b).URL)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	dir := b.TempDir()
	files, err := fsutil.NewFS(dir)
	if err != nil {
		b.Fatal(err)
	}
	return func(content []byte) error {
		if err := os.WriteFile(filepath.Join(dir, "tmate"), content, 0o755); err != nil {
			return err
		}
		def, err := llb.Merge([]llb.State{
			base, llb.Scratch().File(llb.Copy(llb.Local("context"), "/tmate", "/usr/bin/tmate", &llb.CopyInfo{CreateDestPath: true})),
		}).Marshal(b.Context())
		if err != nil {
			return err
		}
		_, err = c.Solve(b.Context(), def, client.SolveOpt{LocalMounts: map[string]fsutil.FS{"context": files}}, nil)
		return err
	}
}

// BenchmarkDirectoryAtDaemon puts a directory of 100,000 files, which a process at
// the daemon has just made, into an image. Each time it is another one, of which the
// daemon has not read anything yet.
func BenchmarkDirectoryAtDaemon(b *testing.B) {
	e, r := bench(b)
	base := script(enginetest.Busybox(b), "true")
	held := resolve(b, e, base)
	var from *graph.Node
	var files engine.Result
	pairs(b, func(i int) {
		from = script(enginetest.Busybox(b), fmt.Sprintf("mkdir /data; cd /data; for d in $(seq 100); do mkdir $d; for f in $(seq 1000); do echo %d > $d/$f; done; done", i))
		files = resolve(b, e, from)
	}, func(i int) error {
		res, err := e.Resolve(b.Context(), graph.New(graph.Copy{To: fmt.Sprintf("/srv/%d", i), From: []string{"/data"}}, "with-directory", base, from), nil)
		if err == nil {
			_, err = r.Make(b.Context(), res)
		}
		return err
	}, func(i int) error {
		return r.Solve(b.Context(), llb.Merge([]llb.State{
			buildkit.StateOf(held.Held),
			llb.Scratch().File(llb.Copy(buildkit.StateOf(files.Held), "/data", fmt.Sprintf("/srv/%d", i), &llb.CopyInfo{CreateDestPath: true, CopyDirContentsOnly: true})),
		}))
	})
}
