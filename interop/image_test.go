package interop

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
)

// usrMerged makes a root as Debian has it, /bin a symlink to usr/bin, with
// busybox alone.
func usrMerged(t *testing.T) string {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip("no /bin/busybox: apt-get install busybox-static")
	}
	root := filepath.Join(t.TempDir(), "root")
	for _, d := range []string{"usr/bin", "etc", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"bin": "usr/bin", "usr/bin/sh": "busybox", "usr/bin/ls": "busybox"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, body := range map[string][]byte{"usr/bin/busybox": busybox, "etc/passwd": []byte("root:x:0:0::/:/bin/sh\n")} {
		if err := os.WriteFile(filepath.Join(root, name), body, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func needs(t *testing.T, programs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("processes in trees need root here")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("no %s: apt-get install %s", p, p)
		}
	}
}

func output(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	c := exec.Command(args[0], args[1:]...)
	c.Dir = dir
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s%s", args, err, out, stderr.Bytes())
	}
	return out
}

// goBuild builds a program of our go.mod.
func goBuild(t *testing.T, pkg string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), filepath.Base(pkg))
	if out, err := exec.Command("go", "build", "-tags", "seccomp", "-o", bin, pkg).CombinedOutput(); err != nil {
		t.Skipf("%s cannot be built here (it needs gcc, pkg-config and libseccomp-dev): %v\n%s", pkg, err, out)
	}
	return bin
}

// inspected is what skopeo says of an image.
type inspected struct {
	Layers []string
	Env    []string
}

func inspect(t *testing.T, place string) inspected {
	t.Helper()
	var i inspected
	if err := json.Unmarshal(output(t, "", "skopeo", "inspect", place), &i); err != nil {
		t.Fatal(err)
	}
	return i
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		out[strings.TrimPrefix(p, dir)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnExportedImageIsTakenBySkopeoUmociAndRunc(t *testing.T) {
	needs(t, "skopeo", "umoci")
	if os.Getenv("INLAY_RUNC") == "" {
		t.Setenv("INLAY_RUNC", goBuild(t, "github.com/inlaybuild/inlay/internal/runtime/inlay-runc"))
	}
	runc := goBuild(t, "github.com/opencontainers/runc")
	dir := t.TempDir()
	open := func(store string) *inlay.Client {
		e, err := embedded.Open(t.Context(), embedded.Options{Store: filepath.Join(dir, store)})
		if err != nil {
			t.Fatal(err)
		}
		c := inlay.NewClient(e, nil)
		t.Cleanup(func() { c.Close(t.Context()) })
		return c
	}
	c := open("store")
	base := "oci:" + filepath.Join(dir, "base") + ":1"
	if _, err := inlay.HostDirectory(usrMerged(t)).Container().Export(t.Context(), c, base); err != nil {
		t.Fatal(err)
	}
	tool := inlay.NewFile("tool", "#!/bin/sh\necho tool at $0\n", inlay.CopyOptions{Mode: "0755"})
	made := inlay.From(base).WithFile("/bin/tool", tool).
		WithExec([]string{"/bin/sh", "-c", "tool && ls -ld /bin > /etc/seen"}).
		WithEnv("WHO", "inlay").WithEntrypoint([]string{"/bin/tool"})
	export := func(c *inlay.Client, name string) (string, engine.Exported) {
		out := filepath.Join(dir, name)
		e, err := made.Export(t.Context(), c, "oci:"+out+":v1")
		if err != nil {
			t.Fatal(err)
		}
		return out, e
	}
	out, exported := export(c, "out")
	if said, err := made.Stdout(t.Context(), c); err != nil || said != "tool at /usr/bin/tool\n" {
		t.Fatalf("%q, %v", said, err)
	}

	t.Run("base layers are kept", func(t *testing.T) {
		was, now := inspect(t, base), inspect(t, "oci:"+out+":v1")
		if len(now.Layers) != len(was.Layers)+1 || now.Layers[0] != was.Layers[0] || exported.Reused != 1 {
			t.Fatalf("%v became %v", was.Layers, now.Layers)
		}
	})
	t.Run("skopeo copies it", func(t *testing.T) {
		archive := filepath.Join(dir, "copied.tar")
		output(t, "", "skopeo", "copy", "oci:"+out+":v1", "docker-archive:"+archive+":inlay/test:v1")
		e := c.Engine().(*embedded.Engine)
		from, err := engine.ParsePlace("docker-archive:" + archive)
		if err != nil {
			t.Fatal(err)
		}
		i, err := e.Import(t.Context(), from, "copied", embedded.ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := made.Root().Digest(t.Context(), c)
		if err != nil || i.Tree != want {
			t.Fatalf("it came back as %s, not as %s (%v)", i.Tree, want, err)
		}
	})
	t.Run("umoci unpacks it and runc runs it", func(t *testing.T) {
		bundle := filepath.Join(dir, "bundle")
		output(t, "", "umoci", "unpack", "--image", out+":v1", bundle)
		got, err := inlay.HostDirectory(filepath.Join(bundle, "rootfs"), inlay.HostOptions{KeepOwner: true}).Tree(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		want, err := made.Root().Tree(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		a, b := listing(t, got), listing(t, want)
		for p := range b {
			if a[p] != b[p] {
				t.Errorf("%s is %q in umoci's bundle, %q in the tree", p, a[p], b[p])
			}
		}
		if len(a) != len(b) {
			t.Errorf("umoci's bundle has %d entries, the tree %d", len(a), len(b))
		}
		spec := map[string]any{}
		file := filepath.Join(bundle, "config.json")
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(body, &spec); err != nil {
			t.Fatal(err)
		}
		process := spec["process"].(map[string]any)
		process["terminal"] = false
		process["args"] = []string{"/bin/sh", "-c", "/bin/tool; ls -ld /bin; echo $WHO"}
		if body, err = json.Marshal(spec); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
		said := string(output(t, bundle, runc, "--root", filepath.Join(dir, "runc"), "run", "inlay-interop"))
		if !strings.HasPrefix(said, "tool at /bin/tool\nl") || !strings.HasSuffix(said, "/bin -> usr/bin\ninlay\n") {
			t.Fatalf("it said %q", said)
		}
	})
	t.Run("a second export gives the same bytes", func(t *testing.T) {
		again, _ := export(c, "again")
		a, b := files(t, out), files(t, again)
		if len(a) != len(b) {
			t.Fatalf("%d files, then %d", len(a), len(b))
		}
		for name := range a {
			if a[name] != b[name] {
				t.Errorf("%s differs", name)
			}
		}
	})
}

// The config of an image is kept byte for byte, however it is written.
func TestAnImageOfUmociIsImportedAgainAndExportedUnchanged(t *testing.T) {
	needs(t, "umoci")
	dir := t.TempDir()
	for _, args := range [][]string{
		{"init", "--layout", "l"}, {"new", "--image", "l:t"}, {"unpack", "--image", "l:t", "b"},
	} {
		output(t, dir, append([]string{"umoci"}, args...)...)
	}
	if err := os.WriteFile(filepath.Join(dir, "b/rootfs/file"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	output(t, dir, "umoci", "repack", "--image", "l:t", "b")
	e, err := embedded.Open(t.Context(), embedded.Options{Store: filepath.Join(dir, "store")})
	if err != nil {
		t.Fatal(err)
	}
	c := inlay.NewClient(e, nil)
	defer c.Close(t.Context())
	from, err := engine.ParsePlace("oci:" + filepath.Join(dir, "l") + ":t")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "a", "b"} {
		i, err := e.Import(t.Context(), from, name, embedded.ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := inlay.From(name).Export(t.Context(), c, "oci:"+filepath.Join(dir, "out")+":"+name)
		if err != nil || out.Image.Digest != i.Image.Digest {
			t.Fatalf("exported as %v, imported as %v (%v)", out.Image, i.Image, err)
		}
	}
}
