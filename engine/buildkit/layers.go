package buildkit

import (
	"context"
	"fmt"
	"io"
	"path"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/compress"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/tree"
)

// layersUnpack tells why daemons that unpack layers do not get what these mean: each is
// unpacked into a directory of its own, where what a layer says nothing of has the time
// of unpacking, and what only lower layers have cannot be linked to.
func (u *uploads) layersUnpack(ctx context.Context, layers []image.Layer) error {
	for _, l := range layers {
		key := digest.Of([]byte("inlay layer unpacks 1\n" + l.Digest.String()))
		b, err := u.local.Recall(ctx, key)
		if err != nil {
			return err
		}
		why := string(b)
		if why == "" {
			if why, err = u.readLayer(ctx, l); err != nil {
				return fmt.Errorf("layer %s: %w", l.Digest, err)
			}
			if err := u.local.Remember(ctx, map[digest.Digest][]byte{key: []byte(why)}); err != nil {
				return err
			}
		}
		if why != unpacked {
			return fmt.Errorf("%w: %s", errUnwritable, why)
		}
	}
	return nil
}

// unpacked is what is remembered of a layer that daemons unpack as it is meant.
const unpacked = "unpacks"

// readLayer tells why daemons do not unpack a layer as it is meant.
func (u *uploads) readLayer(ctx context.Context, l image.Layer) (why string, err error) {
	b, size, err := u.local.Blob(ctx, l.Digest)
	if err != nil {
		return "", err
	}
	if c, ok := b.(io.Closer); ok {
		defer c.Close()
	}
	r, err := compress.NewReader(io.NewSectionReader(b, 0, size), compress.Limits{})
	if err != nil {
		return "", err
	}
	defer r.Close()
	c, _, err := layer.Read(ctx, r, layer.ReadOptions{})
	if err != nil {
		return "", err
	}
	if c.Root == nil {
		return unpacked, nil
	}
	if why := impliedIn("/", c.Root); why != "" {
		return why, nil
	}
	return unpacked, nil
}

// impliedIn finds what a layer implies in a directory, which it says itself or is the root.
func impliedIn(p string, d *tree.DirChange) string {
	for name, change := range d.All() {
		at := path.Join(p, name)
		switch change := change.(type) {
		case tree.Hardlink:
			return at + " is a name of a file of a lower layer"
		case *tree.DirChange:
			if change.Attr == nil {
				return at + " is a directory that the layer does not have itself"
			}
			if why := impliedIn(at, change); why != "" {
				return why
			}
		}
	}
	return ""
}
