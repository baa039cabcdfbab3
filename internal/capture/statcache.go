package capture

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"golang.org/x/sys/unix"
)

// statCache knows the digests of files by what stat tells of them, as git's
// index does. It is one file a directory, and may be lost at any time. A nil
// statCache knows nothing.
type statCache struct {
	path    string
	since   time.Time // when the capture began
	records []record  // by inode
}

// record is what a regular file was when it was captured.
type record struct {
	inode  inode
	size   uint64
	mtime  stamp
	ctime  stamp
	digest digest.Digest
	plain  bool // it has no extended attributes

	cached bool // it was taken from the cache; not stored
}

type stamp struct {
	sec  int64
	nsec uint32
}

func makeRecord(st *unix.Statx_t, d digest.Digest, plain bool) record {
	return record{
		inode: inodeOf(st), size: st.Size,
		mtime:  stamp{st.Mtime.Sec, st.Mtime.Nsec},
		ctime:  stamp{st.Ctime.Sec, st.Ctime.Nsec},
		digest: d, plain: plain,
	}
}

func compareInodes(a, b inode) int {
	return cmp.Or(cmp.Compare(a.major, b.major), cmp.Compare(a.minor, b.minor), cmp.Compare(a.ino, b.ino))
}

// openCache reads the cache of a directory. One that is missing or damaged is
// empty.
func openCache(dir string, o Options) (*statCache, error) {
	if o.CacheDir == "" {
		return nil, nil
	}
	abs, err := absolute(dir)
	if err != nil {
		return nil, err
	}
	key := digest.Of(fmt.Appendf(nil, "%q %q %q %t", abs, o.Include, o.Exclude, o.Gitignore))
	c := &statCache{path: filepath.Join(o.CacheDir, key.Hex()), since: o.Now()}
	if b, err := os.ReadFile(c.path); err == nil {
		c.records, _ = decodeRecords(b) // none of a damaged one
	}
	return c, nil
}

// find gives the digest of a file that has not changed since it was recorded,
// and whether it has no extended attributes.
func (c *statCache) find(st *unix.Statx_t) (d digest.Digest, plain, ok bool) {
	if c == nil || st.Size == 0 {
		return d, false, false
	}
	want := inodeOf(st)
	i := sort.Search(len(c.records), func(i int) bool { return compareInodes(c.records[i].inode, want) >= 0 })
	if i == len(c.records) {
		return d, false, false
	}
	r := &c.records[i]
	now := makeRecord(st, r.digest, r.plain)
	return r.digest, r.plain, *r == now
}

// Clocks of file systems are coarse: a file can change twice under one stamp.
// So a file is only recorded when its stamps are older than the beginning of the
// capture by more than the clock's step.
const (
	clockStep  = 100 * time.Millisecond
	coarseStep = 2*time.Second + clockStep // of file systems that count seconds
)

// settled tells whether a later change of the file would show in its stamps.
func (c *statCache) settled(st *unix.Statx_t) bool {
	if c == nil {
		return false
	}
	step := clockStep
	if st.Ctime.Nsec == 0 && st.Mtime.Nsec == 0 {
		step = coarseStep
	}
	limit := c.since.Add(-step)
	return time.Unix(st.Ctime.Sec, int64(st.Ctime.Nsec)).Before(limit) &&
		time.Unix(st.Mtime.Sec, int64(st.Mtime.Nsec)).Before(limit)
}

// missing begins to ask sink which of the recorded digests it lacks; the
// function that it gives waits for the answer.
func (c *statCache) missing(ctx context.Context, sink Sink) func() (map[digest.Digest]bool, error) {
	if c == nil || len(c.records) == 0 {
		return func() (map[digest.Digest]bool, error) { return nil, nil }
	}
	var lost map[digest.Digest]bool
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		lost, err = c.ask(ctx, sink)
	}()
	return func() (map[digest.Digest]bool, error) {
		<-done
		return lost, err
	}
}

func (c *statCache) ask(ctx context.Context, sink Sink) (map[digest.Digest]bool, error) {
	all := make([]digest.Digest, len(c.records))
	for i := range c.records {
		all[i] = c.records[i].digest
	}
	slices.SortFunc(all, digest.Digest.Compare)
	missing, err := sink.Missing(ctx, slices.Compact(all))
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	lost := make(map[digest.Digest]bool, len(missing))
	for _, d := range missing {
		lost[d] = true
	}
	return lost, nil
}

// forget drops digests.
func (c *statCache) forget(lost map[digest.Digest]bool) {
	c.records = slices.DeleteFunc(c.records, func(r record) bool { return lost[r.digest] })
}

// save replaces the cache by what a capture saw. That it cannot be written is no
// error: the next capture reads more.
func (c *statCache) save(seen []record) {
	if c == nil {
		return
	}
	fresh := func(r record) bool { return !r.cached }
	if len(seen) == len(c.records) && !slices.ContainsFunc(seen, fresh) {
		return
	}
	slices.SortFunc(seen, func(a, b record) int { return compareInodes(a.inode, b.inode) })
	seen = slices.CompactFunc(seen, func(a, b record) bool { return a.inode == b.inode })
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(c.path), ".new-*")
	if err != nil {
		return
	}
	_, err = f.Write(encodeRecords(seen))
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), c.path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	c.sweep()
}

// sweep removes what writers that died left behind long ago.
func (c *statCache) sweep() {
	const old = 24 * time.Hour
	dir := filepath.Dir(c.path)
	list, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), ".new-") {
			continue
		}
		if info, err := e.Info(); err == nil && c.since.Sub(info.ModTime()) > old {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

func absolute(path string) (string, error) {
	if strings.HasPrefix(path, "/") {
		return filepath.Clean(path), nil
	}
	return filepath.Abs(path)
}
