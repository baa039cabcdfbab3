package capture

import (
	"context"
	"runtime"

	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// Upper captures the upper directory of an overlay mount as the change set that
// makes, of base, what the mount showed. Base is the tree that the lower
// directories showed. The mount must have been one with index=off, with any
// metacopy and redirect_dir; it must be gone, and nobody may change the upper
// directory any more.
//
// Only the upper directory is walked: a capture costs what was changed. Entries
// that were copied up and are what they were are no change, a directory that was
// only copied up to hold others neither; that a file with several names was
// taken out of its group by overlay is one, because the mount showed it so. A
// directory that was renamed, of which the upper directory has only the
// difference, is put whole; it shares its parts with the base.
//
// Upper uses the directory up: new bodies are moved to the sink. If it fails
// before it has begun to move them, the directory is as it was. Errors name the
// path; [ErrOverlay] is that of an upper directory that needs something of the
// base that is not there.
func Upper(ctx context.Context, base tree.Tree, upper string, sink Adopter, o UpperOptions) (tree.ChangeSet, Stats, error) {
	prefix := trustedMarks
	if o.UserXattrs {
		prefix = userMarks
	}
	fd, err := openat(unix.AT_FDCWD, upper, dirFlags&^unix.O_NOFOLLOW)
	if err != nil {
		return tree.ChangeSet{}, Stats{}, pathError("capture", upper, err)
	}
	d := newOpenDir(fd)
	defer d.release()
	s := &scan{root: upper, prefix: prefix, pool: newPool(), inodes: map[inode]*upperInode{}}
	s.count.tell = o.Progress
	root, err := s.run(ctx, d, runtime.NumCPU())
	if err != nil {
		return tree.ChangeSet{}, s.count.stats(), err
	}
	m := &merge{base: base, scan: s}
	cs, err := m.run(ctx, root, o.Drop)
	if err != nil {
		return tree.ChangeSet{}, s.count.stats(), err
	}
	a := &adoption{scan: s, sink: sink, root: d}
	if err := a.run(ctx, m.put); err != nil {
		return tree.ChangeSet{}, s.count.stats(), err
	}
	return cs, s.count.end(), nil
}
