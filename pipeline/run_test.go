package pipeline

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

// recorder is an engine that notes what it is asked for, and gives empty trees.
type recorder struct {
	asked    []*graph.Node
	exported []string
	fail     error
}

func (r *recorder) Resolve(_ context.Context, n *graph.Node, _ engine.Sink) (engine.Result, error) {
	r.asked = append(r.asked, n)
	return engine.Result{Tree: tree.Empty()}, r.fail
}

func (r *recorder) Export(_ context.Context, _ engine.Result, to engine.Place, _ engine.ExportOptions) (engine.Exported, error) {
	r.exported = append(r.exported, to.String())
	return engine.Exported{Place: to.String()}, r.fail
}

func (*recorder) OpenContent(context.Context, digest.Digest) (io.ReadCloser, error) {
	return nil, errors.New("no content")
}

func (*recorder) Close(context.Context) error { return nil }

func run(t testing.TB, text string, vars map[string]string) (*recorder, []Output, error) {
	s, err := Parse("", text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	r := &recorder{}
	var printed []Output
	err = s.Run(t.Context(), Environment{
		Client: inlay.NewClient(r, nil),
		Lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		Print:  func(_ context.Context, o Output) error { printed = append(printed, o); return nil },
	})
	return r, printed, err
}

func ptr[T any](v T) *T { return &v }

func TestWordsMakeTheOpsOfTheSDK(t *testing.T) {
	copied := func(to string, o graph.CopyOptions, from ...string) graph.Op {
		return graph.Copy{To: to, From: from, Options: o}
	}
	for _, c := range []struct {
		text string
		want graph.Op
	}{
		{"from debian:12", graph.From{Source: "debian:12"}},
		{"from --platform linux/arm64 ./x", graph.From{Source: "dir:./x", Platform: "linux/arm64"}},
		{"host . --gitignore --keep-owner --include a --include b --exclude c",
			graph.Host{Path: ".", Gitignore: true, KeepOwner: true, Include: []string{"a", "b"}, Exclude: []string{"c"}}},
		{"scratch | with-file /bin/tool ./dir/tool", copied("/bin/tool", graph.CopyOptions{File: true}, "/tool")},
		{"scratch | with-file --owner 1:2 --mode=u+x --time 1970-01-02 --existing merge / $(from a | file /x/y)",
			copied("/", graph.CopyOptions{Owner: "1:2", Mode: "u+x", Time: ptr(int64(86400)), File: true}, "/x/y")},
		{"scratch | with-directory --overlay --existing replace --owner 0:0 / dir:./rootfs",
			copied("/", graph.CopyOptions{Owner: "0:0", Overlay: true, Existing: compose.ExistingReplace, Contents: true}, "/")},
		{"scratch | with-directory --include '*.c' /src $(from a)", copied("/src", graph.CopyOptions{Include: []string{"*.c"}, Contents: true}, "/")},
		{"scratch | with-copy --allow-empty --keep-link /c . a 'b*'", copied("/c", graph.CopyOptions{AllowEmpty: true, KeepLink: true}, "a", "b*")},
		{"scratch | with-new-file --mode 0600 /x 'a b'", graph.NewFile{Path: "/x", Content: []byte("a b"), Options: graph.CopyOptions{Mode: "0600"}}},
		{"scratch | with-symlink usr/bin /bin", graph.Symlink{Path: "/bin", Target: "usr/bin"}},
		{"scratch | without-file /x", graph.Remove{Paths: []string{"/x"}}},
		{"scratch | directory /x", graph.Sub{Path: "/x"}},
		{"scratch | with-merged a b", graph.Merge{}},
		{"scratch | with-env A=b=c", graph.Configure{Env: []graph.EnvChange{{Name: "A", Value: "b=c"}}}},
		{"scratch | with-env --expand A '$B'", graph.Configure{Env: []graph.EnvChange{{Name: "A", Value: "$B", Expand: true}}}},
		{"scratch | with-label a=b", graph.Configure{Labels: map[string]string{"a": "b"}}},
		{"scratch | with-exec ls -l", graph.Exec{Args: []string{"ls", "-l"}, Stdin: []byte{}}},
		{"scratch | with-exec --no-network --stdin in --expect 1 --expect 2 --env A=b --again x --use-entrypoint -- --weird",
			graph.Exec{Args: []string{"--weird"}, Network: graph.NetworkNone, Stdin: []byte("in"), Expect: []int{1, 2}, Env: []string{"A=b"}, NoCache: "x", UseEntrypoint: true}},
		{"scratch | with-mounted-temp /t | with-mounted-cache /c n | with-mounted-secret /s env:X | without-mount /t | with-env A=b | with-exec x",
			graph.Exec{Args: []string{"x"}, Stdin: []byte{}, Mounts: []graph.Mount{{Kind: graph.MountCache, Target: "/c", Name: "n"}, {Kind: graph.MountSecret, Target: "/s", Name: "env:X"}}}},
	} {
		r, _, err := run(t, c.text, nil)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := r.asked[len(r.asked)-1].Op(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %#v\nwant %#v", c.text, got, c.want)
		}
	}
}

func TestNodesAreNamedByTheWords(t *testing.T) {
	r, _, err := run(t, `from "a b" | with-files /x ./f ./g | with-env SECRET=hidden | with-exec -- sh -c 'echo $X'`, nil)
	if err != nil {
		t.Fatal(err)
	}
	var calls []string
	for n := range r.asked[0].All() {
		calls = append(calls, n.Call())
	}
	got := strings.Join(calls, "\n")
	want := "from 'a b'\nhost ./f\nwith-files /x ./f ./g\nhost ./g\nwith-files /x ./f ./g\nwith-env SECRET\nwith-exec sh -c 'echo $X'"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestVariablesAreTheShells(t *testing.T) {
	vars := map[string]string{"TWO": "a b", "EMPTY": ""}
	for text, want := range map[string][]string{
		`$TWO`:                      {"a", "b"},
		`"$TWO"`:                    {"a b"},
		`'$TWO'`:                    {"$TWO"},
		`\$TWO`:                     {"$TWO"},
		`x$EMPTY`:                   {"x"},
		`x "$EMPTY"`:                {"x", ""},
		`${NONE:-def}`:              {"def"},
		`${TWO%b}x`:                 {"a", "x"},
		`pre-$(scratch | digest)`:   {"pre-" + tree.Empty().Digest().String()},
		`*.c`:                       {"*.c"},
		`"a"'b'c`:                   {"abc"},
		"$(scratch | glob nothing)": {},
	} {
		r, _, err := run(t, "scratch | with-exec x "+text, vars)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		args := r.asked[len(r.asked)-1].Op().(graph.Exec).Args[1:]
		if strings.Join(args, "\n") != strings.Join(want, "\n") || len(args) != len(want) {
			t.Errorf("%s: %q, want %q", text, args, want)
		}
	}
}

func TestAValueInAVariableIsTheValue(t *testing.T) {
	r, _, err := run(t, "base=$(from a | with-env X=y)\ntool=$(from $base | file /t)\nfrom \"$base\" | with-file /x $tool", nil)
	if err != nil {
		t.Fatal(err)
	}
	n := r.asked[len(r.asked)-1]
	if len(r.asked) != 1 || n.Inputs()[0] != n.Inputs()[1] {
		t.Errorf("resolved %d times, from %v and %v", len(r.asked), n.Inputs()[0].Call(), n.Inputs()[1].Call())
	}
}

func TestAPipelineGoesOnAfterItWrote(t *testing.T) {
	r, printed, err := run(t, "scratch | export oci:a | with-env A=b | push host/name | digest", nil)
	if err != nil || len(printed) != 3 || strings.Join(r.exported, " ") != "oci:a host/name" {
		t.Error(err, printed, r.exported)
	}
	if len(r.asked) != 2 {
		t.Errorf("resolved %d times, want 2", len(r.asked))
	}
}

func TestErrorsNameTheWord(t *testing.T) {
	s, err := Parse("f", "from a |\n  with-file /x ./y |\n digest")
	if err != nil {
		t.Fatal(err)
	}
	for call, want := range map[string]string{
		"with-file /x ./y": "f:2:3: with-file /x ./y: oh",
		"host ./y":         "f:2:3: with-file /x ./y: host ./y: oh",
		"from a":           "f:1:1: from a: oh",
		"something":        "f:3:2: digest: something: oh",
	} {
		r := &recorder{fail: &graph.CallError{Call: call, Err: errors.New("oh")}}
		err := s.Run(t.Context(), Environment{Client: inlay.NewClient(r, nil)})
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	r := &recorder{fail: &graph.CallError{Call: "with-exec x", Err: &engine.ExecError{Args: []string{"x"}, ExitCode: 3}}}
	s, _ = Parse("", "from a | with-exec x")
	err = s.Run(t.Context(), Environment{Client: inlay.NewClient(r, nil)})
	if err == nil || err.Error() != "with-exec x: exited with code 3" {
		t.Error(err)
	}
}

func FuzzRun(f *testing.F) {
	for _, w := range Words() {
		f.Add(w.Example)
	}
	f.Add("X=$(from a); from $X | with-file /x ${Y:-./z} {a,b} ~ $((1+1)) ${#X} ${X:0:1} \"$@\" `scratch | digest`")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "stdin") {
			return // which reads files of this machine
		}
		s, err := Parse("", text)
		if err != nil {
			return
		}
		// What is run is an engine that does nothing.
		_ = s.Run(t.Context(), Environment{Client: inlay.NewClient(&recorder{}, nil)})
	})
}

func ExampleParse() {
	s, err := Parse("", "scratch | with-new-file /hello 'hello, world' | export oci:out")
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	client, err := inlay.Open(ctx, inlay.Options{Store: "store"})
	if err != nil {
		panic(err)
	}
	defer client.Close(ctx)
	if err := s.Run(ctx, Environment{Client: client}); err != nil {
		panic(err)
	}
}
