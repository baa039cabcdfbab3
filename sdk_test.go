package inlay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/graph"
)

// open gives a client on a store of the test.
func open(t testing.TB) *inlay.Client {
	t.Helper()
	c, err := inlay.Open(t.Context(), inlay.Options{Store: filepath.Join(t.TempDir(), "store")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestErrorsComeWhenResolvedAndNameTheCall(t *testing.T) {
	c := open(t)
	s := inlay.Scratch().WithNewFile("/f", "1")
	for want, d := range map[string]inlay.Directory{
		`WithNewFile("")`:                           s.WithNewFile("", "x"),
		`WithNewFile("/a\x00b")`:                    s.WithNewFile("/a\x00b", "x"),
		`WithFile("/x")`:                            s.WithFile("/x", s.File("/none")),
		`WithFile("/f/x")`:                          s.WithFile("/f/x", s.File("/f")),
		`WithFiles("/d")`:                           s.WithFiles("/d", []inlay.File{s.File("/f"), s.File("/none")}),
		`WithDirectory("/x")`:                       s.WithDirectory("/x", s, inlay.CopyOptions{Existing: "maybe"}),
		`WithFile("/y")`:                            s.WithFile("/y", s.WithNewDirectory("/d").File("/d")),
		`Directory("/f")`:                           s.WithDirectory("/", s.Directory("/f")),
		`WithCopy("/x", [*.none])`:                  s.WithCopy("/x", s, []string{"*.none"}),
		`WithSymlink("", "/l")`:                     s.WithSymlink("", "/l"),
		`WithoutFile("/")`:                          s.WithoutFile("/"),
		`HostDirectory("/no/such")`:                 inlay.HostDirectory("/no/such"),
		`HostFile("/no/such")`:                      s.WithFile("/", inlay.HostFile("/no/such")),
		`From("")`:                                  inlay.From("").Root(),
		`From("oci:/no/such")`:                      inlay.From("oci:/no/such").Root(),
		`WithEnv("A=B")`:                            s.Container().WithEnv("A=B", "x").Root(),
		`WithWorkdir("")`:                           s.Container().WithWorkdir("").Root(),
		`WithExec([])`:                              s.Container().WithExec(nil).Root(),
		`WithExec([/bin/true])`:                     s.Container().WithMountedTemp("/").WithExec([]string{"/bin/true"}).Root(),
		`WithNewFile("/` + strings.Repeat("n", 256): s.WithNewFile("/"+strings.Repeat("n", 256), ""),
	} {
		_, err := d.WithNewFile("/later", "").Digest(t.Context(), c)
		var ce *inlay.CallError
		if !errors.As(err, &ce) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want one of %s", err, want)
		}
	}
	for want, err := range map[string]error{
		`Entries("/none")`: second(s.Entries(t.Context(), c, "/none")),
		`Entries("/f")`:    second(s.Entries(t.Context(), c, "/f")),
		`Stat("/none")`:    second(s.Stat(t.Context(), c, "/none")),
		`File("/none")`:    second(s.File("/none").Contents(t.Context(), c)),
		`File("/")`:        second(s.File("/").Contents(t.Context(), c)),
		`Glob("[")`:        second(s.Glob(t.Context(), c, "[")),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want one of %s", err, want)
		}
	}
	if err := second(s.File("/none").Contents(t.Context(), c)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v is not fs.ErrNotExist", err)
	}
	if _, err := s.Container().Stdout(t.Context(), c); !errors.Is(err, inlay.ErrNoExec) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Container().Push(t.Context(), c, "oci:x"); err == nil {
		t.Error("pushed to a layout")
	}
	if _, err := s.Export(t.Context(), c, ""); err == nil {
		t.Error("exported to nowhere")
	}
}

func second[T any](_ T, err error) error { return err }

func TestValuesDoNotChange(t *testing.T) {
	c := open(t)
	names := func(d inlay.Directory) string {
		t.Helper()
		list, err := d.Entries(t.Context(), c, "/")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(list, " ")
	}
	base := inlay.Scratch().WithNewFile("a", "1")
	one, other := base.WithNewFile("b", "2"), base.WithNewFile("c", "3")
	if got := []string{names(base), names(one), names(other)}; !slices.Equal(got, []string{"a", "a b", "a c"}) {
		t.Errorf("got %q", got)
	}
	// What the caller does with its slices later changes nothing.
	exclude, from, args, include := []string{"b"}, []string{"/a"}, []string{"/x"}, []string{"a"}
	host := t.TempDir()
	for _, n := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(host, n), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	copied := inlay.Scratch().WithDirectory("/", one, inlay.CopyOptions{Exclude: exclude})
	several := inlay.Scratch().WithCopy("/", one, from)
	taken := inlay.HostDirectory(host, inlay.HostOptions{Include: include})
	started := base.Container().WithEntrypoint(args).WithDefaultArgs(args)
	exclude[0], from[0], args[0], include[0] = "a", "/b", "/y", "b"
	if got := []string{names(copied), names(several), names(taken)}; !slices.Equal(got, []string{"a", "a", "a"}) {
		t.Errorf("got %q", got)
	}
	r, err := c.Resolve(t.Context(), started.Node())
	if err != nil || r.Config.Run().Entrypoint[0] != "/x" || r.Config.Run().Cmd[0] != "/x" {
		t.Errorf("got %+v, %v", r.Config.Run(), err)
	}
	// Two containers that come from one do not share their mounts.
	root := base.Container().WithMountedTemp("/1")
	m1, m2 := root.WithMountedTemp("/2"), root.WithMountedTemp("/3")
	for i, want := range []string{"/2", "/3"} {
		x := []inlay.Container{m1, m2}[i].WithExec([]string{"/x"}).Node().Op().(graph.Exec)
		if len(x.Mounts) != 2 || x.Mounts[1].Target != want {
			t.Errorf("mounts %+v", x.Mounts)
		}
	}
	if x := m1.WithoutMount("/2/").WithExec([]string{"/x"}).Node().Op().(graph.Exec); len(x.Mounts) != 1 {
		t.Errorf("mounts %+v", x.Mounts)
	}
	var zero inlay.ChangeSet
	if got := names(base.WithChanges(zero)); got != "a" {
		t.Errorf("got %q", got)
	}
}

func TestWithRootIsTheOtherRootToTheLastAttribute(t *testing.T) {
	c := open(t)
	d := inlay.HostDirectory(t.TempDir()).WithNewFile(".hidden", "1")
	old := inlay.Scratch().WithNewFile("a", "1").WithNewFile(".b", "2").Container().WithEnv("A", "1")
	want, err := d.Digest(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Resolve(t.Context(), old.WithRoot(d).Node())
	if err != nil || r.Tree.Digest() != want || len(r.Config.Run().Env) != 1 {
		t.Errorf("got %s, want %s (%v)", r.Tree.Digest(), want, err)
	}
}

func TestPathsOfFilesAreNoPatterns(t *testing.T) {
	c := open(t)
	d := inlay.Scratch().WithNewFile(`a*`, "star").WithNewFile("ab", "b").WithNewFile(`[x]\?`, "odd")
	out := inlay.Scratch().WithFile("/one", d.File("/a*")).WithFiles("/", []inlay.File{d.File(`[x]\?`)})
	b, err := out.File("one").Contents(t.Context(), c)
	if err != nil || string(b) != "star" {
		t.Errorf("got %q, %v", b, err)
	}
	if list, err := out.Entries(t.Context(), c, "/"); err != nil || !slices.Equal(list, []string{`[x]\?`, "one"}) {
		t.Errorf("got %q, %v", list, err)
	}
}

func TestHostDirectoriesAreChosenFrom(t *testing.T) {
	c := open(t)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a.go": "1", "a.o": "2", "sub/b.go": "3", "sub/b.o": "4", "vendor/c.go": "5", ".gitignore": "*.o\n/vendor/\n",
	} {
		p := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for want, o := range map[string]inlay.HostOptions{
		"/.gitignore /a.go /sub /sub/b.go":          {Gitignore: true},
		"/a.go /sub /sub/b.go /vendor /vendor/c.go": {Include: []string{"**/*.go"}},
		"/a.go /sub /sub/b.go":                      {Include: []string{"**/*.go"}, Exclude: []string{"vendor"}},
	} {
		got, err := inlay.HostDirectory(dir, o).Glob(t.Context(), c, "/**")
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%+v: %q, %v", o, got, err)
		}
	}
	info, err := inlay.Scratch().WithFile("/x", inlay.HostFile(filepath.Join(dir, "a.go"))).Stat(t.Context(), c, "/x")
	if err != nil || info.Size() != 1 || info.Mode() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
	d, err := inlay.Scratch().WithSymlink("nowhere", "/l").Stat(t.Context(), c, "/l")
	if err != nil || d.Mode().Type() != fs.ModeSymlink {
		t.Errorf("got %v, %v", d, err)
	}
}

// Each value that is resolved is a run; those that a client which has begun one
// resolves are one, with one sequence of steps.
func TestRunsBySDK(t *testing.T) {
	c := open(t)
	store := c.Engine().(*embedded.Engine).Store()
	d := inlay.Scratch().WithNewFile("a", "1")
	for range 2 {
		if _, err := d.Digest(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	one := c.Begin("look and look again")
	if _, err := d.Digest(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if _, err := d.WithNewFile("b", "2").Directory("/missing").Digest(t.Context(), one.Begin("the same")); err == nil {
		t.Error("no error")
	}
	if _, err := d.WithNewFile("b", "2").Digest(t.Context(), one); err != nil {
		t.Error(err)
	}
	if err := one.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := d.Digest(t.Context(), c); err != nil {
		t.Errorf("the client is closed with the one that it began: %v", err)
	}
	list, err := store.Runs(t.Context())
	if err != nil || len(list) != 4 {
		t.Fatalf("%d runs, %v", len(list), err)
	}
	var asked struct{ Asked string }
	if err := json.Unmarshal(list[2].Data, &asked); err != nil || asked.Asked != "look and look again" || list[2].State != "done" {
		t.Errorf("run %s: %s, %v", list[2].State, list[2].Data, err)
	}
	if steps, err := store.Steps(t.Context(), list[2].Name); err != nil || len(steps) != 5 {
		t.Errorf("%d steps, %v: want scratch, a, b, /missing and b again", len(steps), err)
	}
}

// shell gives a container with busybox, in which processes can be run.
func shell(t *testing.T) inlay.Container {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces and mounts")
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs a static busybox: Debian's busybox-static")
	}
	if os.Getenv("INLAY_RUNC") == "" {
		program := filepath.Join(t.TempDir(), "inlay-runc")
		if out, err := exec.Command("go", "build", "-tags", "seccomp", "-o", program, "./internal/runtime/inlay-runc").CombinedOutput(); err != nil {
			t.Skipf("needs inlay-runc: gcc, pkg-config and libseccomp-dev: %s", out)
		}
		t.Setenv("INLAY_RUNC", program)
	}
	return inlay.Scratch().WithFile("/bin/busybox", inlay.HostFile(busybox), inlay.CopyOptions{Mode: "755"}).WithSymlink("busybox", "/bin/sh").Container()
}

func TestProcessesBySDK(t *testing.T) {
	sh := shell(t)
	c := open(t)
	t.Setenv("INLAY_TEST_SECRET", "the secret of this test")
	ctx := t.Context()
	run := sh.WithEnv("WHO", "world").WithWorkdir("/srv").
		WithMountedSecret("/run/s", inlay.SecretEnv("INLAY_TEST_SECRET")).
		WithMountedFile("/in", inlay.NewFile("x", "mounted\n")).
		WithMountedDirectory("/dir", inlay.Scratch().WithNewFile("f", "1")).
		WithMountedCache("/cache", "c").WithMountedTemp("/temp").
		WithExec([]string{"/bin/sh", "-c", "echo hello $WHO; busybox cat /in /run/s; pwd >&2; echo 1 > made"})
	out, err := run.Stdout(ctx, c)
	if err != nil || out != "hello world\nmounted\n***" {
		t.Errorf("stdout %q, %v", out, err)
	}
	if e, err := run.Stderr(ctx, c); err != nil || e != "/srv\n" {
		t.Errorf("stderr %q, %v", e, err)
	}
	if names, err := run.Root().Entries(ctx, c, "/"); err != nil || fmt.Sprint(names) != "[bin/ srv/]" {
		t.Errorf("entries %q, %v", names, err)
	}
	if b, err := run.File("/srv/made").Contents(ctx, c); err != nil || string(b) != "1\n" {
		t.Errorf("made %q, %v", b, err)
	}
	code, err := sh.WithExec([]string{"sh", "-c", "exit 3"}, inlay.ExecOptions{Expect: []int{3}}).ExitCode(ctx, c)
	if err != nil || code != 3 {
		t.Errorf("code %d, %v", code, err)
	}
	_, err = sh.WithExec([]string{"sh", "-c", "echo why; exit 3"}).ExitCode(ctx, c)
	var fail *inlay.ExecError
	if !errors.As(err, &fail) || fail.ExitCode != 3 || string(fail.Stdout) != "why\n" {
		t.Errorf("error %v", err)
	}
	if out, err := sh.WithEntrypoint([]string{"/bin/busybox", "echo"}).WithDefaultArgs([]string{"by", "default"}).WithExec(nil).Stdout(ctx, c); err != nil || out != "by default\n" {
		t.Errorf("stdout %q, %v", out, err)
	}
	if out, err := sh.WithExec([]string{"/bin/busybox", "cat"}, inlay.ExecOptions{Stdin: "in"}).Stdout(ctx, c); err != nil || out != "in" {
		t.Errorf("stdout %q, %v", out, err)
	}
}
