package buildkit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/daemontest"
	"github.com/inlaybuild/inlay/tree"
)

// box gives a tree that the daemon holds: one with a shell in which a process has
// left /left.
func box(t *testing.T) *graph.Node {
	t.Helper()
	return leaves(shellTree(t), "echo was > /left; echo gone > /gone")
}

func shellTree(t *testing.T) *graph.Node {
	t.Helper()
	file, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs a static busybox: Debian's busybox-static")
	}
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n := graph.New(graph.NewFile{Path: "/bin/busybox", Content: body, Options: graph.CopyOptions{Mode: "0755"}}, "busybox", graph.New(graph.Scratch{}, "scratch"))
	return graph.New(graph.NewFile{Path: "/etc/kept", Content: []byte("kept")}, "kept", n)
}

func leaves(n *graph.Node, script string, more ...*graph.Node) *graph.Node {
	return graph.New(graph.Exec{Args: sh(script)}, "with-exec "+script, append([]*graph.Node{n}, more...)...)
}

// said runs a session with pipes and gives what it left and said.
func said(t *testing.T, e *embedded.Engine, s embedded.Session, stdin string) (engine.Left, string) {
	t.Helper()
	in, typed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, written, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := typed.WriteString(stdin); err != nil {
		t.Fatal(err)
	}
	typed.Close()
	s.Streams.Stdin, s.Streams.Stdout, s.Streams.Stderr = in, written, written
	left, err := e.Enter(t.Context(), s)
	written.Close()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	return left, string(b)
}

// sh gives what runs a script, in which a few programs of the busybox have their names.
func sh(script string) []string {
	const programs = `for p in cat seq rm mkdir ln ls sleep stty tty id; do eval "$p() { /bin/busybox $p \"\$@\"; }"; done; `
	return []string{"/bin/busybox", "sh", "-c", programs + script}
}

// What a session at a daemon changed is known as exactly as if it had been here, and
// nothing that the daemon mounts or makes to mount something is among it.
func TestASessionAtADaemonLeavesWhatItChanged(t *testing.T) {
	e := open(t, embedded.Options{}, buildkit.Options{})
	in := resolved(t, e, box(t))
	left, out := said(t, e, embedded.Session{In: in, Args: sh(`cat /left -; echo to standard error >&2; exit 3`)}, "typed")
	if left.ExitCode != 3 || left.Failed != nil || left.Changed != 0 ||
		!strings.Contains(out, "was\n") || !strings.Contains(out, "typed") || !strings.Contains(out, "to standard error\n") {
		t.Errorf("%+v, %q", left, out)
	}
	left, _ = said(t, e, embedded.Session{In: in, Args: sh(`echo is > /left; rm /gone; mkdir -p /d/e; echo new > /d/e/f; ln /d/e/f /d/g; echo x > /etc/x`)}, "")
	if left.ExitCode != 0 || left.Changed != 8 || !left.Away {
		t.Errorf("%+v", left)
	}
	known, err := in.Known(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := compose.Count(t.Context(), known.Tree, left.Tree)
	if err != nil || c.Added != 5 || c.Replaced != 2 || c.Removed != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, p := range []string{"/.inlay", "/proc", "/sys", "/dev", "/etc/hosts", "/etc/resolv.conf"} {
		if _, err := left.Tree.Lookup(t.Context(), p); !tree.IsNotExist(err) {
			t.Errorf("%s is in the tree: %v", p, err)
		}
	}
	if group, err := left.Tree.LinkGroup(t.Context(), "/d/g"); err != nil || len(group) != 2 {
		t.Errorf("names of one file: %q (%v)", group, err)
	}
	// The next one finds the tree as it was.
	if _, out := said(t, e, embedded.Session{In: in, Args: sh("cat /left /gone")}, ""); out != "was\ngone\n" {
		t.Errorf("%q", out)
	}
}

// A name has all contents here, those that only the daemon had among them.
func TestWhatIsKeptOfASessionIsHere(t *testing.T) {
	e := open(t, embedded.Options{}, buildkit.Options{})
	in := resolved(t, e, box(t))
	left, _ := said(t, e, embedded.Session{In: in, Keep: "kept", Args: sh("echo new > /new; seq 200000 > /many")}, "")
	if !left.Kept || left.Away || left.Changed != 2 {
		t.Errorf("%+v", left)
	}
	here := resolved(t, openHere(t, embedded.Options{Store: e.Store().Dir()}), graph.New(graph.From{Source: "kept"}, "kept"))
	for p, want := range map[string]string{"/new": "new\n", "/left": "was\n", "/etc/kept": "kept"} {
		if got := contentAt(t, e, here.Tree, p); got != want {
			t.Errorf("%s holds %q", p, got)
		}
	}
	if got := contentAt(t, e, here.Tree, "/many"); !strings.HasSuffix(got, "\n200000\n") {
		t.Errorf("/many ends in %q", got[max(0, len(got)-20):])
	}
}

func contentAt(t *testing.T, e *embedded.Engine, in tree.Tree, p string) string {
	t.Helper()
	entry, err := in.Lookup(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return textOf(t, e, entry.(tree.File))
}

// textOf gives what a file holds.
func textOf(t *testing.T, e *embedded.Engine, f tree.File) string {
	t.Helper()
	if f.Size == 0 {
		return ""
	}
	r, err := e.OpenContent(t.Context(), f.Content)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A session in a step sees all that the step's process saw, and throws away what it
// does to that.
func TestASessionAtADaemonSeesWhatItsStepSaw(t *testing.T) {
	e := open(t, embedded.Options{Record: true}, buildkit.Options{})
	tools := leaves(shellTree(t), "mkdir /tools; echo sharp > /tools/tool")
	x := graph.Exec{
		Args: sh("cat /s > /half; echo c > /c/f; exit 4"), Env: []string{"WHO=me"}, Network: graph.NetworkNone,
		Mounts: []graph.Mount{
			{Kind: graph.MountTree, Target: "/mnt/a/b", Input: 1, Path: "/tools"},
			{Kind: graph.MountSecret, Target: "/s", Name: "env:LAW"},
			{Kind: graph.MountCache, Target: "/c", Name: fmt.Sprint("session-", os.Getpid())},
			{Kind: graph.MountTemp, Target: "/m"},
		},
	}
	if _, err := e.Resolve(t.Context(), graph.New(x, "it fails", box(t), tools), nil); err == nil {
		t.Fatal("it succeeded")
	}
	r, step, err := e.At(t.Context(), "last@failed")
	if err != nil || step.Spec == nil {
		t.Fatal(step, err)
	}
	left, out := said(t, e, embedded.Session{In: r, Spec: step.Spec, Args: sh(
		`cat /half /s /mnt/a/b/tool /c/f; echo; echo $WHO; ls /m; ls /sys/class/net; echo > /mnt/a/b/x; echo > /m/x`)}, "")
	secret, err := enginetest.Secret(t.Context(), "env:LAW")
	if err != nil {
		t.Fatal(err)
	}
	if want := string(secret) + string(secret) + "sharp\nc\n\nme\nlo\n"; out != want || left.ExitCode != 0 || left.Changed != 0 {
		t.Errorf("%+v, %q, want %q", left, out, want)
	}
}

func resolved(t *testing.T, e *embedded.Engine, n *graph.Node) engine.Result {
	t.Helper()
	r, err := e.Resolve(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Who does not start says why, with what is known of the tree.
func TestASessionAtADaemonThatDoesNotStartSaysWhy(t *testing.T) {
	e := open(t, embedded.Options{}, buildkit.Options{})
	for _, in := range []*graph.Node{graph.New(graph.Scratch{}, "scratch"), graph.New(graph.Remove{Paths: []string{"/bin"}}, "without", box(t))} {
		left, out := said(t, e, embedded.Session{In: resolved(t, e, in)}, "")
		if left.ExitCode != 127 || left.Failed == nil || out != "" || !strings.HasSuffix(left.Outcome(), ": /bin/sh does not exist: /bin does not exist") {
			t.Errorf("%+v, %q: %s", left, out, left.Outcome())
		}
	}
	// Where there is none of the tree's own, a shell is lent.
	left, out := said(t, e, embedded.Session{In: resolved(t, e, graph.New(graph.Scratch{}, "scratch")), Lend: true}, "echo $PATH; mkdir /d; exit 5\n")
	if left.ExitCode != 5 || !strings.HasSuffix(out, ":/.inlay\n") || left.Changed != 1 {
		t.Errorf("%+v, %q", left, out)
	}
}

// watched is what a session writes.
type watched struct {
	mu   sync.Mutex
	all  bytes.Buffer
	text string
	then func()
}

// seen has something called when a text is written.
func (w *watched) seen(text string, then func()) { w.text, w.then = text, sync.OnceFunc(then) }

func (w *watched) take(r io.Reader) {
	b := make([]byte, 4096)
	for {
		n, err := r.Read(b)
		w.mu.Lock()
		w.all.Write(b[:n])
		if strings.Contains(w.all.String(), w.text) {
			w.then()
		}
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// enterTo runs a session whose output is watched.
func enterTo(ctx context.Context, t *testing.T, e *embedded.Engine, s embedded.Session, w *watched) (engine.Left, error) {
	t.Helper()
	out, written, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var done sync.WaitGroup
	done.Go(func() { w.take(out) })
	s.Streams.Stdout, s.Streams.Stderr = written, written
	left, err := e.Enter(ctx, s)
	written.Close()
	done.Wait()
	return left, err
}

// Who is stopped has a moment, is ended then, and leaves what it wrote.
func TestASessionAtADaemonIsStopped(t *testing.T) {
	e := open(t, embedded.Options{}, buildkit.Options{})
	in := resolved(t, e, box(t))
	for script, code := range map[string]int{
		`trap "echo heard > /heard; exit 9" TERM; echo > /ready; echo go; while :; do sleep 0.05; done`: 9,
		`trap "" TERM; echo > /ready; echo go; while :; do sleep 0.05; done`:                            137,
	} {
		ctx, stop := context.WithCancelCause(t.Context())
		why := errors.New("enough")
		var out watched
		out.seen("go", func() { stop(why) })
		left, err := enterTo(ctx, t, e, embedded.Session{In: in, Keep: "stopped", Args: sh(script)}, &out)
		if err != nil || left.ExitCode != code || !errors.Is(left.Stopped, why) || !left.Kept {
			t.Errorf("%+v, %v", left, err)
		}
		if _, err := left.Tree.Lookup(t.Context(), "/ready"); err != nil {
			t.Error(err)
		}
		stop(nil)
	}
}

// A daemon that goes away ends the session with an error, at once.
func TestASessionEndsWithItsDaemon(t *testing.T) {
	daemontest.Skip(t)
	d := ownDaemon(t)
	e := open(t, embedded.Options{}, buildkit.Options{Addresses: []daemon.Address{{URL: d.Address}}})
	in := resolved(t, e, shellTree(t))
	var out watched
	out.seen("go", d.Kill)
	began := time.Now()
	_, err := enterTo(t.Context(), t, e, embedded.Session{In: in, Args: sh("echo go; sleep 100")}, &out)
	if !errors.Is(err, daemon.ErrLost) || time.Since(began) > 15*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}
