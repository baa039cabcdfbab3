package layer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// overlayDir is a layer as a directory that overlayfs can mount over those of
// the layers below it, by the kernel's documentation of overlayfs.
type overlayDir struct {
	tree   treetest.Listing // what the layer has
	gone   []string         // paths that get a character device 0:0
	opaque []string         // directories that get trusted.overlay.opaque
	alone  bool             // hides all: the ones below it are not mounted
}

// overlayDirectory makes the directory of a layer. Below is the tree
// below it, of which directories that the layer only implies take attributes. A
// hardlink to a layer below cannot be in it.
func overlayDirectory(l treetest.Layer, below treetest.Listing) (overlayDir, error) {
	own, err := l.On(nil)
	if err != nil {
		return overlayDir{}, err
	}
	d := overlayDir{tree: own}
	l = standing(l)
	opaque := map[string]bool{}
	hidden := func(p string) bool { // what lies in it below
		for ; p != "/"; p = filepath.Dir(p) {
			if opaque[p] {
				return true
			}
		}
		return opaque["/"]
	}
	for _, i := range l {
		if p, ok := i.Opaque(); ok && isDirectory(own, p) {
			opaque[p] = true
		}
		if p, ok := i.Whiteout(); ok && isDirectory(own, p) {
			opaque[p] = true
		}
	}
	for _, i := range l {
		// In a directory that is not merged the kernel lists whiteouts as names.
		if p, ok := i.Whiteout(); ok && own.Find(p) == nil && below.Find(p) != nil && isDirectory(own, filepath.Dir(p)) && !hidden(filepath.Dir(p)) {
			d.gone = append(d.gone, p)
		}
	}
	for p := range opaque {
		if p == "/" {
			d.alone = true
		} else {
			d.opaque = append(d.opaque, p)
		}
	}
	for n, i := range own {
		said := false
		for _, e := range l {
			said = said || e.Path == i.Path
		}
		b := below.Find(i.Path)
		whited := opaque[i.Path] && isWhitedOut(l, i.Path)
		if i.Kind == tree.KindDirectory && !said && b != nil && b.Kind == i.Kind && !whited &&
			(i.Path == "/" || !hidden(filepath.Dir(i.Path))) {
			d.tree[n].Attr = b.Attr
		}
	}
	return d, nil
}

// standing gives the layer without the markers in directories that a later entry
// makes something else: it takes the place of the directory with all in it.
func standing(l treetest.Layer) treetest.Layer {
	var out treetest.Layer
	for n, i := range l {
		gone := false
		for _, later := range l[n:] {
			gone = gone || i.Marker() && later.Kind != tree.KindDirectory && strings.HasPrefix(i.Path, later.Path+"/")
		}
		if !gone {
			out = append(out, i)
		}
	}
	return out
}

func isDirectory(l treetest.Listing, p string) bool {
	i := l.Find(p)
	return i != nil && i.Kind == tree.KindDirectory
}

func isWhitedOut(l treetest.Layer, p string) bool {
	for _, i := range l {
		if w, ok := i.Whiteout(); ok && w == p {
			return true
		}
	}
	return false
}

func (d overlayDir) write(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := treetest.Write(d.tree, dir); err != nil {
		return err
	}
	for _, p := range d.opaque {
		if err := unix.Setxattr(filepath.Join(dir, p), "trusted.overlay.opaque", []byte("y"), 0); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	for _, p := range d.gone {
		at := filepath.Join(dir, p)
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Dir(at), &st); err != nil {
			return err
		}
		if err := unix.Mknod(at, unix.S_IFCHR, 0); err != nil && err != unix.EEXIST {
			return fmt.Errorf("%s: %w", p, err)
		}
		times := []unix.Timespec{st.Atim, st.Mtim}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Dir(at), times, 0); err != nil {
			return err
		}
	}
	return nil
}
