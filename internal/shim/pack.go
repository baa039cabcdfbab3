package shim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sort"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// Files that [Survey] leaves.
//
//	root   the digest of the tree, as text
//	nodes  all encoded nodes of the tree, one after the other
//	index  for each node, ascending: digest:32 offset:8 length:4, big-endian
const (
	RootFile  = "root"
	NodesFile = "nodes"
	IndexFile = "index"
)

const (
	indexSize = digest.Size + 8 + 4
	maxNode   = 1 << 30
	// smallPack is the size of the nodes up to which they are read all at once.
	smallPack = 1 << 20
	// piece is how much is read at once of a file whose size is not known.
	piece = 4 << 20
)

// ErrPack is the error of files that [Survey] did not write.
var ErrPack = errors.New("malformed survey")

// Ranges reads parts of the files of a survey.
type Ranges interface {
	// ReadRange gives n bytes of a file from an offset on; fewer if the file ends
	// before.
	ReadRange(ctx context.Context, file string, offset, n int64) ([]byte, error)
}

// Pack is a survey as it is read from afar: a [tree.Source]. Of a small one all
// nodes are read when the first one is asked for, of others each when it is asked
// for. Package tree holds nodes against their digests. A Pack is for several
// goroutines.
type Pack struct {
	root  digest.Digest
	from  Ranges
	index []packed
	size  int64 // of all nodes

	mu    sync.Mutex
	nodes []byte // all of them, when they are few
}

// packed is where a node is.
type packed struct {
	digest         digest.Digest
	offset, length int64
}

// OpenPack reads the root and the index of a survey.
func OpenPack(ctx context.Context, from Ranges) (*Pack, error) {
	text, err := from.ReadRange(ctx, RootFile, 0, 1<<10)
	if err != nil {
		return nil, err
	}
	p := &Pack{from: from}
	if p.root, err = digest.Parse(string(text)); err != nil {
		return nil, fmt.Errorf("%w: its root: %w", ErrPack, err)
	}
	var b []byte
	for {
		more, err := from.ReadRange(ctx, IndexFile, int64(len(b)), piece)
		if err != nil {
			return nil, err
		}
		b = append(b, more...)
		if len(more) < piece {
			break
		}
	}
	p.index, p.size, err = decodeIndex(b)
	return p, err
}

// decodeIndex gives the nodes of an index, and how many bytes all of them have.
func decodeIndex(b []byte) (index []packed, size int64, err error) {
	if len(b)%indexSize != 0 {
		return nil, 0, fmt.Errorf("%w: an index of %d bytes", ErrPack, len(b))
	}
	index = make([]packed, 0, len(b)/indexSize)
	for ; len(b) > 0; b = b[indexSize:] {
		d, err := digest.FromSum(b[:digest.Size])
		if err != nil {
			return nil, 0, fmt.Errorf("%w: %w", ErrPack, err)
		}
		offset := binary.BigEndian.Uint64(b[digest.Size:])
		length := int64(binary.BigEndian.Uint32(b[digest.Size+8:]))
		if length > maxNode || offset > math.MaxInt64-maxNode {
			return nil, 0, fmt.Errorf("%w: %d bytes at %d for %s", ErrPack, length, offset, d)
		}
		if n := len(index); n > 0 && index[n-1].digest.Compare(d) >= 0 {
			return nil, 0, fmt.Errorf("%w: the index is not sorted at %s", ErrPack, d)
		}
		index = append(index, packed{d, int64(offset), length})
		size = max(size, int64(offset)+length)
	}
	return index, size, nil
}

// Root gives the digest of the tree, for [tree.Load].
func (p *Pack) Root() digest.Digest { return p.root }

// Len gives the number of nodes.
func (p *Pack) Len() int { return len(p.index) }

// Size gives the size of all nodes, in bytes.
func (p *Pack) Size() int64 { return p.size }

// Tree gives the tree, whose root is read.
func (p *Pack) Tree(ctx context.Context) (tree.Tree, error) { return tree.Load(ctx, p, p.root) }

// Node gives an encoded node. It reads one range, if any.
func (p *Pack) Node(ctx context.Context, d digest.Digest) ([]byte, error) {
	i := sort.Search(len(p.index), func(i int) bool { return p.index[i].digest.Compare(d) >= 0 })
	if i == len(p.index) || p.index[i].digest != d {
		return nil, fmt.Errorf("%w: %s", tree.ErrMissingNode, d)
	}
	at := p.index[i]
	all, err := p.loaded(ctx)
	if err != nil {
		return nil, err
	}
	if all != nil {
		return all[at.offset : at.offset+at.length : at.offset+at.length], nil
	}
	return p.read(ctx, at.offset, at.length)
}

// Load reads all nodes at once, for who is going to need most of them.
func (p *Pack) Load(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.all(ctx)
	return err
}

// loaded gives all nodes if they were read or are few; else nil.
func (p *Pack) loaded(ctx context.Context) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.nodes == nil && p.size > smallPack {
		return nil, nil
	}
	return p.all(ctx)
}

// all reads all nodes; mu is held.
func (p *Pack) all(ctx context.Context) ([]byte, error) {
	if p.nodes != nil {
		return p.nodes, nil
	}
	b := make([]byte, 0, min(p.size, 64<<20))
	for int64(len(b)) < p.size {
		more, err := p.read(ctx, int64(len(b)), min(piece, p.size-int64(len(b))))
		if err != nil {
			return nil, err
		}
		b = append(b, more...)
	}
	p.nodes = b
	return b, nil
}

// read reads a range that the index says is there.
func (p *Pack) read(ctx context.Context, offset, n int64) ([]byte, error) {
	b, err := p.from.ReadRange(ctx, NodesFile, offset, n)
	if err == nil && int64(len(b)) != n {
		err = fmt.Errorf("%w: %d bytes at %d instead of %d", ErrPack, len(b), offset, n)
	}
	return b, err
}
