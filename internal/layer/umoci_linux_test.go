package layer_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// byUmoci unpacks as umoci does an image of the layers.
func byUmoci(w *workshop, s treetest.Stack) (l treetest.Listing, err error) {
	var tars [][]byte
	for _, layer := range s {
		b, err := layer.Tar()
		if err != nil {
			return nil, err
		}
		tars = append(tars, b)
	}
	return w.umoci(tars)
}

func (w *workshop) umoci(tars [][]byte) (l treetest.Listing, err error) {
	err = w.fresh(func(dir string) error {
		image, root := filepath.Join(dir, "image"), filepath.Join(dir, "root")
		if err := os.Mkdir(image, 0o755); err != nil {
			return err
		}
		makeImage(w.t, image, tars)
		if out, err := exec.CommandContext(w.t.Context(), "umoci", "raw", "unpack", "--image", image+":x", root).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		l, err = treetest.Read(root)
		return err
	})
	return l, err
}
