//go:build linux

package shim

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/tree"
)

// Survey makes a tree of the directory root and leaves its nodes in the directory
// out, for a [Pack]. All files are read, by several threads; their contents are not
// kept. Nobody may write to root meanwhile. In a container, extended attributes of
// "trusted." cannot be seen.
//
// Nothing is remembered from one survey to the next: what identifies an unchanged
// file on one machine (its inode and times of change) says nothing on a daemon's
// mounts. Overlay mounts have a device number for each mount, inodes of several file
// systems may be equal, and file systems that load images lazily make up the inodes
// and take all times from the image.
func Survey(ctx context.Context, root, out string) error {
	o, err := openOut(out)
	if err != nil {
		return err
	}
	defer o.close()
	t, _, err := capture.Directory(ctx, root, hashing{}, capture.Options{})
	if err != nil {
		return err
	}
	return o.pack(ctx, t)
}

// pack writes the nodes of a tree.
func (o *outDir) pack(ctx context.Context, t tree.Tree) error {
	nodes, err := o.createAs(NodesFile)
	if err != nil {
		return err
	}
	defer nodes.Close()
	w := bufio.NewWriterSize(nodes, 1<<20)
	var index []packed
	at := int64(0)
	saved, err := tree.Save(ctx, t, nil, func(d digest.Digest, node []byte) error {
		if int64(len(node)) > maxNode {
			return fmt.Errorf("a node of %d bytes is larger than any can be", len(node))
		}
		index = append(index, packed{d, at, int64(len(node))})
		at += int64(len(node))
		_, err := w.Write(node)
		return err
	})
	if err := errors.Join(err, w.Flush()); err != nil {
		return err
	}
	if err := o.write(IndexFile, encodeIndex(index)); err != nil {
		return err
	}
	return o.write(RootFile, []byte(saved.Digest.String()))
}

// encodeIndex writes the index of a pack: sorted, each digest once.
func encodeIndex(index []packed) []byte {
	slices.SortFunc(index, func(a, b packed) int { return a.digest.Compare(b.digest) })
	index = slices.CompactFunc(index, func(a, b packed) bool { return a.digest == b.digest })
	b := make([]byte, 0, len(index)*indexSize)
	for _, p := range index {
		b = p.digest.Append(b)
		b = binary.BigEndian.AppendUint64(b, uint64(p.offset))
		b = binary.BigEndian.AppendUint32(b, uint32(p.length))
	}
	return b
}

// hashing is a sink that keeps nothing.
type hashing struct{}

func (hashing) Missing(context.Context, []digest.Digest) ([]digest.Digest, error) { return nil, nil }

func (hashing) PutBytes(_ context.Context, b []byte) (digest.Digest, int64, error) {
	return digest.Of(b), int64(len(b)), nil
}

func (hashing) Create() capture.Writer { return &hasher{Hasher: digest.NewHasher()} }

// hasher is a body that is not kept.
type hasher struct {
	*digest.Hasher
	size int64
}

var _ io.Writer = (*hasher)(nil)

func (h *hasher) Write(b []byte) (int, error) {
	h.size += int64(len(b))
	return h.Hasher.Write(b)
}

func (h *hasher) Finish(context.Context) (digest.Digest, int64, error) {
	return h.Digest(), h.size, nil
}

func (h *hasher) Discard() error { return nil }
