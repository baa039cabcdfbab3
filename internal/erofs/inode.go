package erofs

import (
	"github.com/inlaybuild/inlay/tree"
)

// struct erofs_inode_extended, 64 bytes, followed by the xattrs and then by the
// inline tail of the data or by the chunk indexes.
const (
	inodeSize = 64

	layoutPlain  = 0 // EROFS_INODE_FLAT_PLAIN: data in blocks
	layoutInline = 2 // EROFS_INODE_FLAT_INLINE: the last part of the data follows the inode
	layoutChunks = 4 // EROFS_INODE_CHUNK_BASED

	// A regular file is one chunk of the greatest size or several, all of them
	// holes: its content is never read here.
	chunkBits = 31
	chunkSize = 1 << (blockBits + chunkBits)
	hole      = 0xffffffff // EROFS_NULL_ADDR
)

// The bits of st_mode that say what an inode is, and EROFS_FT_*.
var inodeKinds = [...]struct {
	mode uint16
	file byte
}{
	tree.KindFile:        {0o100000, 1},
	tree.KindDirectory:   {0o040000, 2},
	tree.KindCharDevice:  {0o020000, 3},
	tree.KindBlockDevice: {0o060000, 4},
	tree.KindFifo:        {0o010000, 5},
	tree.KindSocket:      {0o140000, 6},
	tree.KindSymlink:     {0o120000, 7},
}

// whiteoutEntry is what a whiteout is on disk.
var whiteoutEntry tree.Entry = tree.Device{}

const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

// deviceNumber is Linux' new_encode_dev.
func deviceNumber(d tree.Device) uint32 {
	return d.Minor&0xff | d.Major<<8 | d.Minor&^0xff<<12
}

// inode is one inode as it is written.
type inode struct {
	entry  tree.Entry
	layout uint16
	size   uint64
	block  uint32 // of the data that is not inline
	number uint32
	links  uint32
	xattrs int // bytes
}

func appendInode(b []byte, n *inode) []byte {
	a := n.entry.Attr()
	kind := n.entry.Kind()
	icount := uint16(0)
	if n.xattrs > 0 {
		icount = uint16((n.xattrs-xattrHeader)/4 + 1)
	}
	data := n.block
	switch e := n.entry.(type) {
	case tree.Device:
		data = deviceNumber(e)
	case tree.File:
		if n.layout == layoutChunks {
			data = chunkBits
		}
	}
	b = le.AppendUint16(b, 1|n.layout<<1) // i_format: extended
	b = le.AppendUint16(b, icount)
	b = le.AppendUint16(b, inodeKinds[kind].mode|uint16(a.Mode))
	b = le.AppendUint16(b, 0)
	b = le.AppendUint64(b, n.size)
	b = le.AppendUint32(b, data)
	b = le.AppendUint32(b, n.number)
	b = le.AppendUint32(b, a.UID)
	b = le.AppendUint32(b, a.GID)
	b = le.AppendUint64(b, uint64(a.ModTime.Sec))
	b = le.AppendUint32(b, a.ModTime.Nsec)
	b = le.AppendUint32(b, n.links)
	return append(b, make([]byte, 16)...)
}
