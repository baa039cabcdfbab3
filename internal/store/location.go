package store

import (
	"path/filepath"

	"github.com/inlaybuild/inlay/digest"
)

// location says where the bytes of a blob are. All code goes from digest to
// bytes through locate, so that small bodies can move into packs later.
type location struct {
	name string // of a file, relative to blobs/: "ab/cdef..."
}

func (s *Store) locate(d digest.Digest) location {
	h := d.Hex()
	return location{name: h[:2] + "/" + h[2:]}
}

// BlobsDir is the directory whose files are the blobs: the data-only lower
// directory of a mounted root.
func (s *Store) BlobsDir() string { return filepath.Join(s.dir, "blobs") }

// BlobPath is the path of a blob's file relative to [Store.BlobsDir], from a
// slash: "/ab/cdef...". It does not tell that the blob exists.
func (s *Store) BlobPath(d digest.Digest) string { return "/" + s.locate(d).name }
