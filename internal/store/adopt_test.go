package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
	"golang.org/x/sys/unix"
)

func TestAdoptedFilesLookLikeTheStoresOwn(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	dir := t.TempDir()
	write := func(name, body string) string {
		p := filepath.Join(dir, name)
		check(t, os.WriteFile(p, []byte(body), 0o600))
		return p
	}
	moved := write("moved", "moved")
	if os.Geteuid() == 0 {
		check(t, os.Chown(moved, 1234, 1234))
	}
	check(t, os.Chmod(moved, 0o777|os.ModeSetuid))
	if err := unix.Setxattr(moved, "user.note", []byte("x"), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
		t.Fatal(err)
	}
	linked := write("linked", "linked")
	check(t, os.Link(linked, linked+"2"))
	other := write("other", "other")
	if shm, err := os.MkdirTemp("/dev/shm", "inlay"); err == nil { // another file system
		defer os.RemoveAll(shm)
		other = filepath.Join(shm, "other")
		check(t, os.WriteFile(other, []byte("other"), 0o600))
	}
	in, err := s.NewIngest(ctx)
	check(t, err)
	var blobs []digest.Digest
	for body, p := range map[string]string{"moved": moved, "linked": linked, "other": other} {
		d := digest.Of([]byte(body))
		check(t, in.Adopt(ctx, p, d, int64(len(body))))
		blobs = append(blobs, d)
	}
	// Known already, wrong, and no files at all.
	check(t, in.Adopt(ctx, linked, digest.Of([]byte("moved")), 5))
	if err := in.Adopt(ctx, linked, digest.Of([]byte("x")), 1); !errors.Is(err, digest.ErrMismatch) {
		t.Error(err)
	}
	if err := in.Adopt(ctx, linked, digest.Of([]byte("linkeD")), 6); !errors.Is(err, digest.ErrMismatch) {
		t.Error(err)
	}
	check(t, os.Symlink("linked", filepath.Join(dir, "symlink")))
	check(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	for _, n := range []string{"symlink", "fifo", ".", "none"} {
		if err := in.Adopt(ctx, filepath.Join(dir, n), digest.Of([]byte("y")), 6); err == nil {
			t.Errorf("adopted %s", n)
		}
	}
	check(t, in.Commit(ctx, store.Changes{}))
	check(t, os.WriteFile(linked+"2", []byte("LINKED"), 0o600)) // the other name is not the blob
	for _, d := range blobs {
		p := filepath.Join(s.BlobsDir(), s.BlobPath(d))
		info, err := os.Lstat(p)
		check(t, err)
		if st := info.Sys().(*syscall.Stat_t); info.Mode() != 0o444 || st.Uid != uint32(os.Geteuid()) || st.Nlink != 1 {
			t.Errorf("%v %d", info.Mode(), st.Uid)
		}
		if n, err := unix.Listxattr(p, nil); n > 0 {
			t.Errorf("%d bytes of xattrs, %v", n, err)
		}
	}
	fsckClean(t, s)
}
