package embedded_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/tree"
)

// enter runs a session and gives what it left and said.
func enter(t *testing.T, e *embedded.Engine, s embedded.Session) (engine.Left, string) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	s.Streams.Stdout, s.Streams.Stderr = in, in
	left, err := e.Enter(t.Context(), s)
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	return left, string(b)
}

func TestASessionLeavesATreeAndNothingElse(t *testing.T) {
	needsProcesses(t)
	if _, err := exec.LookPath("busybox"); err != nil {
		t.Skip("needs a static busybox: Debian's busybox-static")
	}
	for _, m := range []checkout.Method{checkout.Auto, checkout.Loop, checkout.Metadata, checkout.Copy, checkout.Plain} {
		t.Run(m.String(), func(t *testing.T) {
			e := open(t, embedded.Options{Root: m, Record: true})
			// A tree without any program: the shell is lent.
			n := graph.New(graph.NewFile{Path: "/etc/f", Content: []byte("was")}, "new", graph.New(graph.Scratch{}, "scratch"))
			in := resolve(t, e, n)
			runsBefore, err := e.Store().Runs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			left, said := enter(t, e, embedded.Session{In: in, Lend: true, Args: []string{"sh", "-c", "cat /etc/f; echo is > /etc/f; echo > /new; exit 3"}})
			if said != "was" || left.ExitCode != 3 || left.Failed != nil || left.Changed != 2 {
				t.Errorf("%+v, %q", left, said)
			}
			c, err := compose.Count(t.Context(), in.Tree, left.Tree)
			if err != nil || c.Added != 1 || c.Replaced != 1 || c.Removed != 0 {
				t.Errorf("%+v, %v", c, err)
			}
			if _, err := left.Tree.Lookup(t.Context(), embedded.Lent); !tree.IsNotExist(err) {
				t.Errorf("what was lent is in the tree: %v", err)
			}
			// It is no exec: the next one does not find it, and sees the tree as it was.
			if left, said := enter(t, e, embedded.Session{In: in, Lend: true, Args: []string{"cat", "/etc/f"}}); said != "was" || left.Changed != 0 || !tree.Equal(left.Tree, in.Tree) {
				t.Errorf("%+v, %q", left, said)
			}
			if after, err := e.Store().Runs(t.Context()); err != nil || len(after) != len(runsBefore) {
				t.Errorf("%d runs, and there were %d (%v)", len(after), len(runsBefore), err)
			}
			sound(t, e)
			nothingLeft(t, e.Store().Dir())
		})
	}
}

func TestASessionThatDoesNotStartSaysWhy(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{})
	in := resolve(t, e, graph.New(graph.Scratch{}, "scratch"))
	left, said := enter(t, e, embedded.Session{In: in})
	if left.ExitCode != 127 || left.Failed == nil || said != "" || !strings.Contains(left.Outcome(), "exited with code 127 after ") ||
		!strings.HasSuffix(left.Outcome(), ": /bin/sh does not exist: /bin does not exist") {
		t.Errorf("%+v, %q: %s", left, said, left.Outcome())
	}
}

func TestATerminalThatThereIsNot(t *testing.T) {
	e := open(t, embedded.Options{Record: true})
	n := graph.New(graph.Terminal{}, "the terminal", graph.New(graph.Scratch{}, "scratch"))
	_, err := e.Resolve(t.Context(), n, nil)
	var call *graph.CallError
	if !errors.Is(err, engine.ErrNoTerminal) || !errors.As(err, &call) || call.Call != "the terminal" {
		t.Error(err)
	}
}

// What a step's process was run with is in its record, with secrets by name.
func TestWhatAProcessWasRunWithIsRemembered(t *testing.T) {
	needsProcesses(t)
	const value = "the-value-of-the-secret"
	t.Setenv("INLAY_TEST_SECRET", value)
	e := open(t, embedded.Options{Record: true})
	x := graph.Exec{Env: []string{"A=b"}, Network: graph.NetworkNone, Mounts: []graph.Mount{
		{Kind: graph.MountSecret, Target: "/run/s", Name: "env:INLAY_TEST_SECRET"}, {Kind: graph.MountTemp, Target: "/m"}}}
	node := script(t, x, "busybox cat /run/s > /copy; exit 4")
	for range 2 {
		if _, err := e.Resolve(t.Context(), node, nil); err == nil {
			t.Fatal("it succeeded")
		}
		r, step, err := e.At(t.Context(), "last@failed")
		if err != nil || step.Spec == nil {
			t.Fatal(step, err)
		}
		if strings.Contains(string(step.Data), value) {
			t.Errorf("the secret is in the record: %s", step.Data)
		}
		left, said := enter(t, e, embedded.Session{In: r, Spec: step.Spec, Args: []string{
			"busybox", "sh", "-c", "busybox cat /copy /run/s; echo; echo $A; busybox ls -d /m; busybox ls /sys/class/net"}})
		if want := value + value + "\nb\n/m\nlo\n"; said != want || left.ExitCode != 0 {
			t.Errorf("%+v, %q, want %q", left, said, want)
		}
	}
	if _, _, err := e.At(t.Context(), "last@99"); err == nil {
		t.Error("there is no such step")
	}
	if _, step, err := e.At(t.Context(), "last@1"); err != nil || step.Spec != nil {
		t.Error("the first step ran nothing", err)
	}
}
