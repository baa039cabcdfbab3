package erofs

import (
	"bufio"
	"context"
	"io"
	"iter"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// Options says how an image refers to blobs.
type Options struct {
	// Redirect gives the path of a blob in the data-only lower directory, from a
	// slash, at most 255 bytes. When nil, the blob whose digest is abcdef... is
	// at /ab/cdef....
	Redirect func(digest.Digest) string
	// Nodes is how many nodes there will be, about, where that is known: memory
	// is taken at once.
	Nodes int64
}

// Info is about an image that was written.
type Info struct {
	Size   int64  // bytes
	Inodes uint64 // files, directories and so on; names of one inode count once
}

// Write writes the image of nodes to w: the root first, a directory before what
// it holds, names in bytewise order. What an image cannot show is refused with
// [ErrUnsupported] before anything is written. It costs about a microsecond and
// 100 bytes of memory a node.
func Write(ctx context.Context, w io.Writer, nodes iter.Seq2[Node, error], o Options) (Info, error) {
	m := &image{redirect: o.Redirect, links: map[uint32]uint32{}, blocks: map[uint32]uint32{}}
	m.records = make([]record, 0, min(max(o.Nodes, 16), 1<<22))
	if m.redirect == nil {
		m.redirect = BlobPath
	}
	if err := m.collect(ctx, nodes); err != nil {
		return Info{}, err
	}
	if err := m.place(); err != nil {
		return Info{}, err
	}
	out := &writer{w: bufio.NewWriterSize(w, 1<<18)}
	out.write(firstBlock(m.inodes, uint32(m.dataEnd), uint16(m.records[0].slot)))
	if err := m.writeInodes(ctx, out); err != nil {
		return Info{}, err
	}
	m.writeBlocks(out)
	out.pad(m.dataEnd * blockSize)
	if out.err == nil {
		out.err = out.w.Flush()
	}
	return Info{Size: int64(m.dataEnd * blockSize), Inodes: m.inodes}, out.err
}

// BlobPath is where a blob is in the data-only lower directory: /ab/cdef...
func BlobPath(d digest.Digest) string {
	var b [2 + 2*digest.Size]byte
	const digits = "0123456789abcdef"
	b[0], b[3] = '/', '/'
	at := 1
	for i, c := range d.Sum() {
		b[at], b[at+1] = digits[c>>4], digits[c&15]
		if at += 2; i == 0 {
			at++
		}
	}
	return string(b[:])
}

func (m *image) writeInodes(ctx context.Context, out *writer) error {
	var b []byte
	for i := range m.records {
		r := &m.records[i]
		if r.first != uint32(i) {
			continue
		}
		if i%4096 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		n := inode{entry: r.entry, number: uint32(i) + 1, links: max(m.links[uint32(i)], 1)}
		redirect := m.redirectOf(r)
		n.xattrs = xattrsSize(r.entry.Attr(), redirect, r.flags&isOpaque != 0)
		var names []name
		switch e := r.entry.(type) {
		case tree.Tree:
			names = m.dir(uint32(i))
			full, tail := dirSize(names)
			n.layout, n.size = layoutInline, uint64(full*blockSize+tail)
			n.links = subdirs(names)
			for range full {
				k, _ := blockEnd(names)
				names = names[k:]
			}
		case tree.Symlink:
			n.layout, n.size = layoutInline, uint64(len(e.Target))
		case tree.File:
			n.size = uint64(e.Size)
			if e.Size > 0 {
				n.layout = layoutChunks
			}
		}
		if r.plain {
			n.layout = layoutPlain
		}
		n.block = m.blocks[uint32(i)]
		b = appendInode(b[:0], &n)
		b = appendXattrs(b, r.entry.Attr(), redirect, r.flags&isOpaque != 0)
		switch e := r.entry.(type) {
		case tree.Tree:
			if !r.plain {
				b = appendDirBlock(b, names)
			}
		case tree.Symlink:
			if !r.plain {
				b = append(b, e.Target...)
			}
		case tree.File:
			for range chunksOf(e) {
				b = le.AppendUint32(b, hole)
			}
		}
		out.pad(uint64(r.slot) << slotBits)
		out.write(b)
		if out.err != nil {
			return out.err
		}
	}
	return nil
}

// subdirs is a directory's count of links: itself, its name, and the ".." of
// every directory in it. Names has "." and "..".
func subdirs(names []name) uint32 {
	n := uint32(0)
	for i := range names {
		if names[i].file == inodeKinds[tree.KindDirectory].file {
			n++
		}
	}
	return n
}

// writeBlocks writes what is not inline.
func (m *image) writeBlocks(out *writer) {
	var b []byte
	for _, i := range m.large {
		r := &m.records[i]
		at := uint64(m.blocks[i])
		out.pad(at * blockSize)
		if l, ok := r.entry.(tree.Symlink); ok {
			out.write([]byte(l.Target))
			continue
		}
		names := m.dir(i)
		for ; len(names) > 0; at++ {
			k, _ := blockEnd(names)
			if k == len(names) && !r.plain {
				break // it is inline
			}
			out.pad(at * blockSize)
			b = appendDirBlock(b[:0], names[:k])
			out.write(b)
			names = names[k:]
		}
	}
}

// writer counts, and keeps the first error.
type writer struct {
	w   *bufio.Writer
	at  uint64
	err error
}

func (w *writer) write(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
		w.at += uint64(len(b))
	}
}

var zeros [blockSize]byte

// pad writes zeros up to an offset.
func (w *writer) pad(to uint64) {
	for w.at < to && w.err == nil {
		w.write(zeros[:min(to-w.at, blockSize)])
	}
}
