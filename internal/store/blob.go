package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/inlaybuild/inlay/digest"
	"golang.org/x/sys/unix"
)

// Blob is an open blob.
type Blob interface {
	io.ReadSeekCloser
	io.ReaderAt
	io.WriterTo
	// Size is the number of bytes.
	Size() int64
}

type fileBlob struct {
	*os.File
	size int64
}

func (b *fileBlob) Size() int64 { return b.size }

// stated is how many blobs are looked at in one stay inside the gate.
const stated = 256

// Missing gives those of ds, in their order, that the store has no blob of. It
// claims the others. It costs about two microseconds a digest.
func (s *Store) Missing(ctx context.Context, ds []digest.Digest) ([]digest.Digest, error) {
	var missing []digest.Digest
	for len(ds) > 0 {
		n := min(len(ds), stated)
		m, err := s.missing(ctx, ds[:n])
		if err != nil {
			return nil, fmt.Errorf("look for blobs: %w", err)
		}
		missing = append(missing, m...)
		ds = ds[n:]
	}
	return missing, nil
}

func (s *Store) missing(ctx context.Context, ds []digest.Digest) (missing []digest.Digest, err error) {
	if err := s.gate.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	var found []digest.Digest
	for _, d := range ds {
		switch ok, err := s.present(d, -1); {
		case err != nil:
			return nil, err
		case ok:
			found = append(found, d)
		default:
			missing = append(missing, d)
		}
	}
	s.claim(asBlob, found...)
	return missing, nil
}

// present tells whether the file of a blob is there and has the size; a negative
// size stands for any that the digest allows. A blob that lost its bytes in a
// power cut is not there.
func (s *Store) present(d digest.Digest, size int64) (bool, error) {
	var st unix.Stat_t
	name := s.locate(d).name
	switch err := unix.Fstatat(int(s.blobs.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); {
	case errors.Is(err, unix.ENOENT):
		return false, nil
	case err != nil:
		return false, &os.PathError{Op: "stat", Path: s.path("blobs", name), Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return false, nil
	}
	if size < 0 {
		return st.Size > 0 || d == digest.Of(nil), nil
	}
	return st.Size == size, nil
}

// OpenBlob opens a blob for reading and claims it. The error of one that the
// store has not is a [MissingError]. The bytes are not verified: use
// [digest.Verify] where damage must be seen, and [Store.Fsck] to look for it.
func (s *Store) OpenBlob(ctx context.Context, d digest.Digest) (Blob, error) {
	if err := s.gate.enter(ctx); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	f, err := os.Open(s.path("blobs", s.locate(d).name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, &MissingError{Kind: KindBlob, Digest: d}
	} else if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if !info.Mode().IsRegular() || info.Size() == 0 && d != digest.Of(nil) {
		return nil, errors.Join(&MissingError{Kind: KindBlob, Digest: d}, f.Close())
	}
	s.claim(asBlob, d)
	return &fileBlob{f, info.Size()}, nil
}
