package erofs

// A directory is blocks of entries. A block is the entries of 12 bytes each
// (struct erofs_dirent: inode, offset of the name, kind), and then the names
// without anything between them. Names are in bytewise order over the whole
// directory, "." and ".." among them, because the kernel searches by bisection.

const direntSize = 12

// name is one name of a directory.
type name struct {
	name  string
	inode uint64
	file  byte // EROFS_FT_*
}

// blockEnd gives the count of names, from the first one on, that go into one
// block, and the bytes that they take.
func blockEnd(names []name) (n, used int) {
	for n < len(names) {
		need := direntSize + len(names[n].name)
		if used+need > blockSize {
			break
		}
		used += need
		n++
	}
	return n, used
}

// appendDirBlock appends the entries of one block and their names.
func appendDirBlock(b []byte, names []name) []byte {
	at := direntSize * len(names)
	for _, e := range names {
		b = le.AppendUint64(b, e.inode)
		b = le.AppendUint16(b, uint16(at))
		b = append(b, e.file, 0)
		at += len(e.name)
	}
	for _, e := range names {
		b = append(b, e.name...)
	}
	return b
}

// dirSize gives the count of blocks that are full, in that no further name fits
// into them, and the bytes in the one after those.
func dirSize(names []name) (full, tail int) {
	for len(names) > 0 {
		n, used := blockEnd(names)
		if n == len(names) {
			return full, used
		}
		full++
		names = names[n:]
	}
	return full, 0
}
