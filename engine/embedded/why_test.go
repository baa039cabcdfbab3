package embedded_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
)

// on gives a node of one input, whose call is a word.
func on(in *graph.Node, op graph.Op, call string) *graph.Node { return graph.New(op, call, in) }

// notStarted resolves a node that cannot be started.
func notStarted(t *testing.T, e *embedded.Engine, n *graph.Node) *engine.ExecError {
	t.Helper()
	_, err := e.Resolve(t.Context(), n, nil)
	var fail *engine.ExecError
	if !errors.As(err, &fail) || fail.Reason == "" || fail.Why == nil || fail.Why.Text != fail.Reason {
		t.Fatalf("error %v (%+v), want that of a program that does not start, with a reason", err, fail)
	}
	return fail
}

func TestTheStepThatTookAProgramAwayIsNamed(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{})
	root := enginetest.Busybox(t)
	layer := on(graph.New(graph.Scratch{}, "scratch"), graph.NewFile{Path: "/bin/tool"}, "layer")
	gone := on(root, graph.Remove{Paths: []string{"/bin/sh"}}, "remove the shell")
	two := on(root, graph.Remove{Paths: []string{"/usr"}}, "first")
	back := graph.New(graph.Copy{To: "/", From: []string{"/"}, Options: graph.CopyOptions{Contents: true}}, "again", two, root)
	shell := graph.Exec{Args: []string{"/bin/sh"}}
	for name, c := range map[string]struct {
		node *graph.Node
		step string
		says string
	}{
		"the last one":       {gone, "remove the shell", "removed /usr/bin/sh"},
		"one before others":  {on(on(gone, graph.NewFile{Path: "/a"}, "a"), graph.Configure{}, "c"), "remove the shell", ""},
		"the last of two":    {on(back, graph.Remove{Paths: []string{"/bin"}}, "second"), "second", "removed /bin, which was a symlink to usr/bin"},
		"a merge":            {graph.New(graph.Merge{}, "merge", root, layer), "merge", "replaced /bin, which was a symlink to usr/bin, by a directory"},
		"below a merge":      {graph.New(graph.Merge{}, "merge", gone, on(graph.New(graph.Scratch{}, "s"), graph.NewFile{Path: "/x"}, "x")), "remove the shell", ""},
		"an exec":            {script(t, graph.Exec{}, "busybox rm /bin/sh"), "WithExec()", "removed /usr/bin/sh"},
		"a diff that is put": {graph.New(graph.Merge{}, "changes", root, graph.New(graph.Diff{}, "diff", root, gone)), "changes", "removed /usr/bin/sh"},
		"before edits": {on(on(on(gone, graph.SetAttr{Mode: "0644", Paths: []string{"/etc"}}, "m"),
			graph.Rename{From: "/etc", To: "/etc2"}, "r"), graph.Hardlink{Target: "/bin/busybox", Path: "/x"}, "h"), "remove the shell", ""},
		"a rename":     {on(root, graph.Rename{From: "/usr/bin/sh", To: "/usr/bin/shell"}, "rename"), "rename", "removed /usr/bin/sh"},
		"none: a part": {on(on(gone, graph.NewDirectory{Path: "/sub"}, "d"), graph.Sub{Path: "/sub"}, "sub"), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			fail := notStarted(t, e, on(c.node, shell, "exec"))
			if fail.Why.Step != c.step || !strings.Contains(fail.Reason, c.says) || fail.ExitCode != 127 || fail.Why.Cause != "missing" {
				t.Errorf("step %q, code %d: %s (%+v)", fail.Why.Step, fail.ExitCode, fail.Reason, fail.Why)
			}
			if c.step != "" && !strings.Contains(fail.Reason, c.step) {
				t.Errorf("%q does not name %q", fail.Reason, c.step)
			}
		})
	}
}

func TestTheStepThatPutAProgramIsNamed(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{})
	root := enginetest.Busybox(t)
	file := func(mode string, text string) *graph.Node {
		return on(root, graph.NewFile{Path: "/run", Content: []byte(text), Options: graph.CopyOptions{Mode: mode}}, "put it")
	}
	for name, c := range map[string]struct {
		node  *graph.Node
		cause string
		code  int
		step  string
	}{
		"without x bit":    {file("0644", "#!/bin/sh\n"), "not-executable", 126, "put it"},
		"not a program":    {file("0755", "\x01\x02"), "not-a-program", 126, "put it"},
		"DOS line endings": {file("0755", "#!/bin/sh\r\n"), "dos-line", 127, "put it"},
		"its x bit went":   {on(file("0755", "#!/bin/sh\n"), graph.Exec{Args: []string{"/bin/busybox", "chmod", "-x", "/run"}}, "chmod"), "not-executable", 126, "chmod"},
		"its mode was set": {on(file("0755", "#!/bin/sh\n"), graph.SetAttr{Mode: "a-x", Paths: []string{"/run"}}, "mode"), "not-executable", 126, "mode"},
		"before its owner": {on(file("0644", "#!/bin/sh\n"), graph.SetAttr{Owner: "0:0", Paths: []string{"/bin"}}, "own"), "not-executable", 126, "put it"},
		"put again": {on(file("0644", "1"), graph.NewFile{Path: "/run", Content: []byte("2")}, "put 2"), "not-executable",
			126, "put 2"},
	} {
		t.Run(name, func(t *testing.T) {
			fail := notStarted(t, e, on(c.node, graph.Exec{Args: []string{"/run"}}, "exec"))
			if fail.Why.Step != c.step || fail.Why.Cause != c.cause || fail.ExitCode != c.code || fail.Why.At != "/run" && c.cause != "dos-line" {
				t.Errorf("code %d: %s (%+v)", fail.ExitCode, fail.Reason, fail.Why)
			}
		})
	}
}

// A failure of a tree that came from elsewhere has facts alone.
func TestNobodyIsBlamedForWhatCameSo(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{})
	r, err := e.Resolve(t.Context(), on(enginetest.Busybox(t), graph.Remove{Paths: []string{"/bin/sh"}}, "remove"), nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "image")
	if _, err := e.Export(t.Context(), r, engine.Place{Scheme: engine.SchemeOCI, Path: dir}, engine.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	fail := notStarted(t, e, on(graph.New(graph.From{Source: "oci:" + dir}, "from it"), graph.Exec{Args: []string{"/bin/sh"}}, "exec"))
	if fail.Why.Step != "" || strings.Contains(fail.Reason, "from it") {
		t.Errorf("blamed: %s", fail.Reason)
	}
}
