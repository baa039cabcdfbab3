package erofs

import (
	"encoding/binary"
	"hash/crc32"
)

// struct erofs_super_block, 128 bytes at offset 1024 of the image.
const (
	superOffset = 1024
	superSize   = 128
	superMagic  = 0xE0F5E1E2

	compatChecksum = 1 << 0 // EROFS_FEATURE_COMPAT_SB_CHKSUM
	compatMtime    = 1 << 1 // EROFS_FEATURE_COMPAT_MTIME
	incompatChunks = 1 << 2 // EROFS_FEATURE_INCOMPAT_CHUNKED_FILE
)

const (
	blockBits = 12
	blockSize = 1 << blockBits
	// slotBits is the unit of inode numbers: inode n starts n<<slotBits bytes
	// after the start of the metadata, which is the start of the image.
	slotBits = 5
)

var le = binary.LittleEndian

// firstBlock gives block 0: the superblock, and after it the shared xattrs. No
// time, UUID or name is set, so that equal trees have equal images.
func firstBlock(inodes uint64, blocks uint32, root uint16) []byte {
	b := make([]byte, blockSize)
	s := b[superOffset:]
	le.PutUint32(s[0:], superMagic)
	le.PutUint32(s[8:], compatChecksum|compatMtime)
	s[12] = blockBits
	le.PutUint16(s[14:], root)
	le.PutUint64(s[16:], inodes)
	le.PutUint32(s[36:], blocks)
	le.PutUint32(s[40:], 0) // meta_blkaddr
	le.PutUint32(s[44:], 0) // xattr_blkaddr
	le.PutUint32(s[80:], incompatChunks)
	copy(b[sharedOffset:], appendXattr(nil, xattr{overlayPrefix + "metacopy", ""}))
	// CRC-32C of the rest of the block with the field itself zero, without the
	// final inversion.
	le.PutUint32(s[4:], ^crc32.Checksum(s, crc32.MakeTable(crc32.Castagnoli)))
	return b
}
