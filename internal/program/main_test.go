//go:build linux

package program

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

func TestMain(m *testing.M) {
	if os.Getenv("INLAY_TEST_KERNEL") != "" {
		askKernel()
		return
	}
	os.Exit(m.Run())
}

// bodies are contents of files.
type bodies map[digest.Digest][]byte

func (b bodies) OpenContent(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	body, ok := b[d]
	if !ok {
		return nil, fmt.Errorf("no content %v", d)
	}
	return io.NopCloser(bytes.NewReader(body)), nil
}

// plan is a tree by paths: each entry is a directory ("d"), a symlink
// ("-> target") or the content of a file, with mode and owner.
type plan map[string]planned

type planned struct {
	kind  string // "dir", "file", "link", "fifo"
	body  []byte
	link  string
	mode  tree.Mode
	owner uint32
}

func dir(mode tree.Mode) planned { return planned{kind: "dir", mode: mode} }
func link(to string) planned     { return planned{kind: "link", link: to} }
func body(mode tree.Mode, text string) planned {
	return planned{kind: "file", mode: mode, body: []byte(text)}
}
func bytesOf(mode tree.Mode, b []byte) planned  { return planned{kind: "file", mode: mode, body: b} }
func (p planned) by(owner uint32) planned       { p.owner = owner; return p }
func (p plan) with(path string, x planned) plan { p[path] = x; return p }

// tree gives the value.
func (p plan) tree(t testing.TB) (tree.Tree, bodies) {
	t.Helper()
	b := bodies{}
	root, err := p.below(t, "/", b).Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return root, b
}

func (p plan) below(t testing.TB, at string, b bodies) *tree.Draft {
	t.Helper()
	d := tree.NewDraft(tree.Empty().With(tree.Attr{Mode: 0o755}))
	if x, ok := p[at]; ok {
		d = tree.NewDraft(tree.Empty().With(x.attr()))
	}
	for path, x := range p {
		if path == "/" || filepath.Dir(path) != at {
			continue
		}
		var e tree.Entry
		switch x.kind {
		case "dir":
			sub, err := p.below(t, path, b).Tree(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			e = sub
		case "link":
			e = tree.Symlink{Target: x.link}
		case "fifo":
			e = tree.Fifo{Attributes: x.attr()}
		default:
			f := tree.File{Attributes: x.attr(), Size: int64(len(x.body))}
			if len(x.body) > 0 {
				f.Content = digest.Of(x.body)
				b[f.Content] = x.body
			}
			e = f
		}
		d.Put(filepath.Base(path), e)
	}
	return d
}

func (p planned) attr() tree.Attr { return tree.Attr{Mode: p.mode, UID: p.owner, GID: p.owner} }

// complete makes the directories that lead to the entries.
func (p plan) complete() plan {
	for path := range p {
		for at := filepath.Dir(path); at != "/"; at = filepath.Dir(at) {
			if _, ok := p[at]; !ok {
				p[at] = dir(0o755)
			}
		}
	}
	return p
}

// why explains a failure in a plan.
func (p plan) why(t testing.TB, x Process, said error, mounts ...Mount) *Why {
	t.Helper()
	root, b := p.complete().tree(t)
	if x.Path == "" {
		x.Path = "/usr/bin:/bin"
	}
	if x.Arch == "" {
		x.Arch = "amd64"
	}
	w, err := Explain(t.Context(), View{Root: root, Contents: b, Mounts: mounts}, x, said)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// busybox gives a static busybox.
func busybox(t testing.TB) []byte {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs a static busybox")
	}
	if out, err := exec.Command("ldd", path).CombinedOutput(); err == nil && !strings.Contains(string(out), "not a dynamic") {
		t.Skip("needs a static busybox: this one is not")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func needsRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: chroot")
	}
}
