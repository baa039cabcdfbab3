package erofs

import (
	"context"
	"iter"
	"math"
	"strings"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// record is a node and its place. A tree of a million nodes has a million of
// them: they are kept small, and all that follows from the entry is computed
// twice, when places are given and when the image is written.
type record struct {
	path  string
	entry tree.Entry
	slot  uint32 // inode number: its offset in units of 1<<slotBits
	end   uint32 // index of the first record that is not at or below this one
	first uint32 // index of the record that has the inode
	above uint32 // index of the directory that has the name
	plain bool   // the data is in blocks altogether
	flags uint8
}

const (
	isOpaque   = 1 << iota
	isWhiteout // the inode is shared by all whiteouts
)

func (r *record) name() string {
	return r.path[strings.LastIndexByte(r.path, '/')+1:]
}

// image is the layout of an image.
type image struct {
	redirect func(digest.Digest) string
	records  []record
	links    map[uint32]uint32 // first record of an inode to its count of names
	blocks   map[uint32]uint32 // record to the first block of its data
	large    []uint32          // the records in blocks, in order
	inodes   uint64
	metaEnd  uint64 // bytes
	dataEnd  uint64 // blocks
	names    []name // of one directory, reused
}

// collect takes the nodes over, and finds out about names of one inode.
func (m *image) collect(ctx context.Context, nodes iter.Seq2[Node, error]) error {
	groups := map[*tree.Link]uint32{}
	whiteout := uint32(math.MaxUint32)
	var open []uint32 // the directories that the walk is in
	chunks := uint64(0)
	for n, err := range nodes {
		if err != nil {
			return err
		}
		at := uint32(len(m.records))
		if at%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if err := check(n); err != nil {
			return err
		}
		for depth := pathDepth(n.Path); len(open) > depth; open = open[:len(open)-1] {
			m.records[open[len(open)-1]].end = at
		}
		r := record{path: n.Path, entry: n.Entry, end: at + 1, first: at}
		if len(open) > 0 {
			r.above = open[len(open)-1]
		}
		if n.Entry == nil {
			r.entry, r.flags = whiteoutEntry, isWhiteout
			if whiteout == math.MaxUint32 {
				whiteout = at
			} else {
				r.first = whiteout
			}
		} else if n.Link != nil {
			if first, ok := groups[n.Link]; ok {
				r.first = first
			} else {
				groups[n.Link] = at
			}
		}
		if n.Opaque {
			r.flags |= isOpaque
		}
		switch e := r.entry.(type) {
		case tree.Tree:
			open = append(open, at)
		case tree.File:
			if chunks += chunksOf(e); chunks > maxChunks {
				return unsupported(n.Path, "files of impossible sizes, this one of %d bytes", e.Size)
			}
		}
		if r.first != at {
			if m.links[r.first] == 0 {
				m.links[r.first] = 1
			}
			m.links[r.first]++
		} else {
			m.inodes++
		}
		m.records = append(m.records, r)
	}
	for _, d := range open {
		m.records[d].end = uint32(len(m.records))
	}
	return nil
}

// pathDepth is the count of directories above a path.
func pathDepth(p string) int {
	if p == "/" {
		return 0
	}
	return strings.Count(p, "/")
}

func chunksOf(f tree.File) uint64 {
	return (uint64(f.Size) + chunkSize - 1) / chunkSize
}

// place gives every inode its offset, and then every larger piece of data its
// blocks. The root is first: its number must fit into 16 bits.
func (m *image) place() error {
	off := uint64(blockSize)
	for i := range m.records {
		r := &m.records[i]
		if r.first != uint32(i) {
			continue
		}
		full, tail := m.data(uint32(i))
		head := uint64(inodeSize + m.xattrsOf(r))
		off = alignUp(off, 1<<slotBits)
		if tail > 0 && (off+head)%blockSize+uint64(tail) > blockSize {
			// What is inline must not lie on two blocks.
			if head+uint64(tail) <= blockSize {
				off = alignUp(off, blockSize)
			} else {
				r.plain = true
				full, tail = full+1, 0
			}
		}
		if off>>slotBits > math.MaxUint32 {
			return unsupported(r.path, "the tree has more entries than an image can hold")
		}
		r.slot = uint32(off >> slotBits)
		if full > 0 {
			m.large = append(m.large, uint32(i))
		}
		off += head + uint64(tail)
		if f, ok := r.entry.(tree.File); ok {
			off += 4 * chunksOf(f)
		}
	}
	m.metaEnd = off
	block := alignUp(off, blockSize) / blockSize
	for _, i := range m.large {
		full, tail := m.data(i)
		if m.records[i].plain && tail > 0 {
			full++
		}
		m.blocks[i] = uint32(block)
		if block += uint64(full); block > math.MaxUint32 {
			return unsupported(m.records[i].path, "the tree has more entries than an image can hold")
		}
	}
	m.dataEnd = block
	return nil
}

// data gives how much data an inode has: whole blocks, and the bytes after them.
func (m *image) data(i uint32) (full, tail int) {
	switch e := m.records[i].entry.(type) {
	case tree.Tree:
		return dirSize(m.dir(i))
	case tree.Symlink:
		return 0, len(e.Target)
	}
	return 0, 0
}

// dir gives the names of a directory, "." and ".." among them, in order. They
// are valid until the next call.
func (m *image) dir(i uint32) []name {
	const dir = 2 // EROFS_FT_DIR
	r := &m.records[i]
	names := m.names[:0]
	dots := [...]name{{".", uint64(r.slot), dir}, {"..", uint64(m.records[r.above].slot), dir}}
	next := 0
	for c := i + 1; c < r.end; c = m.records[c].end {
		k := &m.records[c]
		n := k.name()
		for next < len(dots) && dots[next].name < n {
			names = append(names, dots[next])
			next++
		}
		names = append(names, name{n, uint64(m.records[k.first].slot), inodeKinds[k.entry.Kind()].file})
	}
	m.names = append(names, dots[next:]...)
	return m.names
}

func (m *image) xattrsOf(r *record) int {
	return xattrsSize(r.entry.Attr(), m.redirectOf(r), r.flags&isOpaque != 0)
}

// redirectOf gives where the content of a regular file is, or "".
func (m *image) redirectOf(r *record) string {
	if f, ok := r.entry.(tree.File); ok && f.Size > 0 {
		return m.redirect(f.Content)
	}
	return ""
}

func alignUp(n, to uint64) uint64 { return (n + to - 1) &^ (to - 1) }
