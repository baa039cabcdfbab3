package store

import (
	"sync"

	"github.com/ncruces/go-sqlite3/vfs"
)

// readOnlyVFS opens a database of a file system that cannot be written, with its log:
// SQLite wants to write to the log of any database that has one, and the library's own
// file system does not give it one that it can only read.
type readOnlyVFS struct{ vfs.VFSFilename }

const readOnlyVFSName = "inlay-read-only"

var registerReadOnlyVFS = sync.OnceFunc(func() {
	if os, ok := vfs.Find("os").(vfs.VFSFilename); ok {
		vfs.Register(readOnlyVFSName, readOnlyVFS{os})
	}
})

// OpenFilename opens a file.
func (v readOnlyVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	const written = vfs.OPEN_READWRITE | vfs.OPEN_CREATE
	if flags&vfs.OPEN_WAL != 0 {
		flags = flags&^written | vfs.OPEN_READONLY
	}
	return v.VFSFilename.OpenFilename(name, flags)
}
