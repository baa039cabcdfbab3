package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/pkg/archive"
	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// diffPeer is somebody else who unpacks a layer over a tree.
type diffPeer struct {
	name  string
	tool  string // the program; "" for none
	apply func(w *workshop, was treetest.Listing, layer []byte) (treetest.Listing, error)
	own   []ownDifference
}

// texts opens what the files of listings hold.
func texts(lists ...treetest.Listing) layer.OpenBlob {
	return func(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
		for _, l := range lists {
			if s, ok := l.Texts()[d]; ok {
				return io.NopCloser(strings.NewReader(s)), nil
			}
		}
		return nil, fs.ErrNotExist
	}
}

// difference gives the layer that makes one tree of another.
func difference(ctx context.Context, was, now treetest.Listing) ([]byte, error) {
	from, to := was.MustTree(), now.MustTree()
	cs, err := compose.Diff(ctx, from, to)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = layer.Write(ctx, &b, cs, layer.WriteOptions{Base: &from, Open: texts(now)})
	return b.Bytes(), err
}

// diffDifference tells how what a peer makes of a tree and the layer differs
// from what the layer was made of.
func diffDifference(w *workshop, p diffPeer, was, now treetest.Listing) (string, map[string]bool) {
	b, err := difference(w.t.Context(), was, now)
	if err != nil {
		return err.Error(), nil
	}
	c, err := newComparison(treetest.Stack{treetest.Layer(was), treetest.Layer(now)}, now)
	if err != nil {
		return err.Error(), nil
	}
	got, err := p.apply(w, was, b)
	return c.with(peer{name: p.name, own: p.own}, got, err), c.excuses
}

// A layer written of the difference of two trees makes the second of the first,
// whoever unpacks it.
func TestADifferenceUnpackedByOthersGivesTheOtherTree(t *testing.T) {
	for _, p := range diffPeers() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			w := newWorkshop(t)
			if p.tool != "" {
				needTool(t, p.tool)
			}
			excused := map[string]int{}
			n := long(120, 3000)
			for seed := range n {
				was, now := treetest.Seeded(uint64(seed)).Pair(treetest.Limits{})
				d, why := diffDifference(w, p, was, now)
				if d != "" {
					small := treetest.Shrink(treetest.Case{Verb: "diff", Dst: was, Src: now}, func(c treetest.Case) bool {
						d, _ := diffDifference(w, p, c.Dst, c.Src)
						return d != ""
					})
					d, _ = diffDifference(w, p, small.Dst, small.Src)
					t.Fatalf("seed %d:\n%s\n-wanted +%s's\n%s", seed, small, p.name, d)
				}
				for why := range why {
					excused[why]++
				}
			}
			logExcused(t, p.name, n, excused)
		})
	}
}

func logExcused(t *testing.T, name string, n int, excused map[string]int) {
	t.Helper()
	t.Logf("%d cases", n)
	for why, n := range excused {
		t.Logf("%5d with %s's own: %s", n, name, why)
	}
}

// diffOnDirectory is containerd's unpacking onto a plain directory.
func diffOnDirectory(w *workshop, was treetest.Listing, layer []byte) (l treetest.Listing, err error) {
	return w.over(was, func(dir string) error {
		_, err := archive.Apply(quiet(w.t.Context()), dir, bytes.NewReader(layer))
		return err
	})
}

// over gives what is in a directory with a tree after f.
func (w *workshop) over(was treetest.Listing, f func(dir string) error) (l treetest.Listing, err error) {
	err = w.fresh(func(dir string) error {
		if err := treetest.Write(was, dir); err != nil {
			return err
		}
		if err := f(dir); err != nil {
			return err
		}
		l, err = treetest.Read(dir)
		return err
	})
	return l, err
}

// diffOnOverlay is containerd's unpacking with its overlay snapshotter.
func diffOnOverlay(w *workshop, was treetest.Listing, layer []byte) (l treetest.Listing, err error) {
	err = w.fresh(func(dir string) error {
		lower, upper := filepath.Join(dir, "lower"), filepath.Join(dir, "upper")
		if err := treetest.Write(was, lower); err != nil {
			return err
		}
		if err := os.Mkdir(upper, 0o755); err != nil {
			return err
		}
		_, err := archive.Apply(quiet(w.t.Context()), upper, bytes.NewReader(layer), archive.WithParents([]string{lower}),
			archive.WithConvertWhiteout(archive.OverlayConvertWhiteout))
		if err != nil {
			return err
		}
		l, err = w.readOverlay([]string{lower, upper})
		return err
	})
	return l, err
}

// diffByUmoci is umoci's unpacking of an image of two layers.
func diffByUmoci(w *workshop, was treetest.Listing, layer []byte) (treetest.Listing, error) {
	base, err := difference(w.t.Context(), treetest.List(tree.Empty()), was)
	if err != nil {
		return nil, err
	}
	return w.umoci([][]byte{base, layer})
}

// diffByTar is a tar program's unpacking, where the way was cleared before it:
// a tar knows no whiteouts, and cannot put anything in the place of a directory
// that is not empty.
func diffByTar(name string, args ...string) func(w *workshop, was treetest.Listing, layer []byte) (treetest.Listing, error) {
	return func(w *workshop, was treetest.Listing, layer []byte) (treetest.Listing, error) {
		return w.over(was, func(dir string) error {
			if err := clearTheWay(dir, layer); err != nil {
				return err
			}
			c := exec.CommandContext(w.t.Context(), name, append(args, "--exclude=.wh.*", "-p", "--same-owner", "-xf", "-", "-C", dir)...)
			c.Stdin = bytes.NewReader(layer)
			c.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
			if out, err := c.CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
	}
}

// clearTheWay takes from a directory what a layer removes, and what stands where
// it puts something that is not a directory, or a directory where there is none.
func clearTheWay(dir string, layer []byte) error {
	for r := tar.NewReader(bytes.NewReader(layer)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		in, name := filepath.Split(filepath.Join(dir, h.Name))
		removed, isWhiteout := strings.CutPrefix(name, ".wh.")
		at, statErr := os.Lstat(filepath.Join(in, removed))
		if !isWhiteout && h.Typeflag == tar.TypeDir && (statErr != nil || at.IsDir()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(in, removed)); err != nil {
			return err
		}
	}
}
