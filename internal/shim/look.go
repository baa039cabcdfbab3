package shim

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// Looked is what [Look] says of a directory: a [tree.Source].
//
//	count:uvarint (length:uvarint path)*  what is mounted in it
//	(length:uvarint node)* 0              the nodes of its tree, children first
//	digest:32                             that of the tree
type Looked struct {
	Mounts []string // paths in the directory, none below another
	root   digest.Digest
	nodes  map[digest.Digest][]byte
}

// maxMounts is how many mounts there can be.
const maxMounts = 1 << 16

// ReadLooked reads what [Look] says.
func ReadLooked(from io.Reader) (*Looked, error) {
	r := bufio.NewReaderSize(from, 1<<16)
	l := &Looked{nodes: map[digest.Digest][]byte{}}
	n, err := binary.ReadUvarint(r)
	if err == nil && n > maxMounts {
		err = fmt.Errorf("%d mounts", n)
	}
	for i := uint64(0); err == nil && i < n; i++ {
		var b []byte
		b, err = readPart(r, maxString)
		l.Mounts = append(l.Mounts, string(b))
	}
	for err == nil {
		var b []byte
		if b, err = readPart(r, maxNode); err == nil && len(b) == 0 {
			break
		}
		l.nodes[digest.Of(b)] = b
	}
	sum := make([]byte, digest.Size)
	if err == nil {
		_, err = io.ReadFull(r, sum)
	}
	if err == nil {
		l.root, err = digest.FromSum(sum)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPack, err)
	}
	return l, nil
}

// readPart reads a length and as many bytes.
func readPart(r *bufio.Reader, most uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("%d bytes where %d are the most", n, most)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	return b, err
}

func writePart(w *bufio.Writer, b []byte) error {
	if _, err := w.Write(binary.AppendUvarint(nil, uint64(len(b)))); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

// Tree gives the tree.
func (l *Looked) Tree(ctx context.Context) (tree.Tree, error) { return tree.Load(ctx, l, l.root) }

// Node gives an encoded node.
func (l *Looked) Node(_ context.Context, d digest.Digest) ([]byte, error) {
	b, ok := l.nodes[d]
	if !ok {
		return nil, fmt.Errorf("%w: %s", tree.ErrMissingNode, d)
	}
	return b, nil
}

// WritePaths writes what [Give] reads: paths of files.
func WritePaths(to io.Writer, paths []string) error {
	w := bufio.NewWriter(to)
	for _, p := range paths {
		if err := writePart(w, []byte(p)); err != nil {
			return err
		}
	}
	return w.Flush()
}
