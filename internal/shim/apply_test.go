//go:build linux

package shim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// bodies are what files hold: some in two sources, some to be written inline.
type bodies struct {
	texts map[digest.Digest]string
	dirs  []string
}

// newBodies makes the sources in a directory.
func newBodies(dir string, lists ...treetest.Listing) (*bodies, error) {
	b := &bodies{texts: map[digest.Digest]string{}}
	for i := range 2 {
		d := filepath.Join(dir, fmt.Sprint("source", i), "deep")
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
		b.dirs = append(b.dirs, filepath.Dir(d))
	}
	for _, l := range lists {
		for d, text := range l.Texts() {
			b.texts[d] = text
			for _, dir := range b.dirs {
				if err := os.WriteFile(filepath.Join(dir, "deep", d.Hex()), []byte(text), 0o600); err != nil {
					return nil, err
				}
			}
		}
	}
	return b, nil
}

func (b *bodies) where(_ context.Context, d digest.Digest) (shim.Content, error) {
	text, ok := b.texts[d]
	if !ok {
		return nil, fmt.Errorf("%s is unknown", d)
	}
	if n := d.Hex()[0] % 3; n < 2 {
		return shim.At{Source: int(n), Path: "/deep/" + d.Hex()}, nil
	}
	return shim.Inline(text), nil
}

// list writes the changes that make b of a.
func (s *bodies) list(file string, a, b treetest.Listing) error {
	c, err := shim.List(context.Background(), a.MustTree(), b.MustTree(), s.where)
	if err != nil {
		return err
	}
	return writeList(file, c)
}

func writeList(file string, c shim.Changes) error {
	var out bytes.Buffer
	if err := c.Encode(&out); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// pair draws two trees, the second often an edited first.
func pair(seed uint64) (a, b treetest.Listing) {
	s := treetest.Seeded(seed)
	if seed%3 == 0 {
		return s.Listing(treetest.Limits{Disk: true}), s.Listing(treetest.Limits{Disk: true})
	}
	return s.Pair(treetest.Limits{Disk: true})
}

func TestChangesMakeOneTreeOfAnother(t *testing.T) {
	needsRoot(t)
	dir := t.TempDir()
	for seed := range uint64(80) {
		if err := changes(filepath.Join(dir, fmt.Sprint(seed)), seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		must(t, os.RemoveAll(filepath.Join(dir, fmt.Sprint(seed))))
	}
}

// changes checks a pair out by package checkout, and lets the program change and
// survey it.
func changes(dir string, seed uint64) error {
	a, b := pair(seed)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	s, err := newBodies(dir, a, b)
	if err != nil {
		return err
	}
	open := func(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(s.texts[d])), nil
	}
	root := filepath.Join(dir, "root")
	if err := checkout.ToDirectory(context.Background(), a.MustTree(), root, open, checkout.DirectoryOptions{}); err != nil {
		return err
	}
	if err := s.list(filepath.Join(dir, "list"), a, b); err != nil {
		return err
	}
	if err := runShim(append([]string{"apply", filepath.Join(dir, "list"), root}, s.dirs...)...); err != nil {
		return err
	}
	got, err := surveyed(root, filepath.Join(dir, "out"))
	if err == nil && !got.Equal(b) {
		err = errors.New(treetest.Differences(got, b))
	}
	return err
}

// Overlayfs breaks hardlinks of lower layers when one of their names is changed, and
// does not rename directories of theirs.
func TestChangesOnAnOverlayMakeOneTreeOfAnother(t *testing.T) {
	needsRoot(t)
	err := treetest.Apart(func(dir string) error {
		for seed := range uint64(150) {
			if err := onOverlay(filepath.Join(dir, fmt.Sprint(seed)), seed); err != nil {
				return fmt.Errorf("seed %d: %w", seed, err)
			}
		}
		return nil
	})
	must(t, err)
}

// overlay mounts an overlay of a lower directory.
func overlay(dir, lower string) (root string, err error) {
	for _, d := range []string{"upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return "", err
		}
	}
	root = filepath.Join(dir, "merged")
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work,index=off,redirect_dir=off,metacopy=off", lower, dir, dir)
	if err := unix.Mount("overlay", root, "overlay", 0, options); err != nil {
		return "", fmt.Errorf("mount overlay: %w", err)
	}
	return root, nil
}

func onOverlay(dir string, seed uint64) error {
	a, b := pair(seed)
	if a.Equal(b) {
		return nil // no list, and the root of a fresh mount is new
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	s, err := newBodies(dir, a, b)
	if err != nil {
		return err
	}
	if err := treetest.Write(a, filepath.Join(dir, "lower")); err != nil {
		return err
	}
	root, err := overlay(dir, filepath.Join(dir, "lower"))
	if err != nil {
		return err
	}
	defer unix.Unmount(root, unix.MNT_DETACH)
	if err := s.list(filepath.Join(dir, "list"), a, b); err != nil {
		return err
	}
	if err := shim.Apply(context.Background(), filepath.Join(dir, "list"), root, s.dirs); err != nil {
		return err
	}
	got, err := treetest.Read(root)
	if err == nil && !got.Equal(b) {
		err = errors.New(treetest.Differences(got, b))
	}
	return err
}

// place is a directory with a list to apply to it.
type place struct {
	t         *testing.T
	dir, root string
	sources   []string
}

func newPlace(t *testing.T, text string) *place {
	t.Helper()
	needsRoot(t)
	p := &place{t: t, dir: t.TempDir()}
	p.root = filepath.Join(p.dir, "root")
	must(t, treetest.Write(treetest.MustParse(text), p.root))
	p.sources = []string{filepath.Join(p.dir, "source")}
	must(t, os.Mkdir(p.sources[0], 0o755))
	must(t, os.WriteFile(filepath.Join(p.sources[0], "f"), []byte("body"), 0o644))
	return p
}

func (p *place) apply(c ...shim.Change) error {
	p.t.Helper()
	must(p.t, writeList(filepath.Join(p.dir, "list"), c))
	return shim.Apply(p.t.Context(), filepath.Join(p.dir, "list"), p.root, p.sources)
}

var plain = tree.Attr{Mode: 0o755}

func TestAListThatForgetsADirectoryIsRefused(t *testing.T) {
	p := newPlace(t, "")
	err := p.apply(shim.MakeDir{Path: "/a", Attr: plain}, shim.Put{Path: "/a/f", Entry: tree.File{}})
	if err == nil || !strings.Contains(err.Error(), "in / and does not say its attributes") {
		t.Error(err)
	}
	must(t, p.apply(shim.Put{Path: "/a/g", Entry: tree.File{}}, shim.SetAttr{Path: "/a", Attr: plain}))
}
