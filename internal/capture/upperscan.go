package capture

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// upperNode is a name in the upper directory as it was found there.
type upperNode struct {
	above *upperNode // nil for the root
	name  string

	whiteout bool
	marks    marks
	entry    tree.Entry   // of what is not a directory; of a metacopy without content
	inode    *upperInode  // of an entry
	dir      bool         // a directory
	attr     tree.Attr    // of a directory
	kids     []*upperNode // of a directory, by name
}

// upperInode is an inode that is not a directory, and its names.
type upperInode struct {
	done  chan struct{}
	entry tree.Entry
	marks marks
	nodes []*upperNode // under scan.mu while the scan lasts
}

// path gives the rooted path of the name.
func (n *upperNode) path() string {
	if n.above == nil {
		return "/"
	}
	if n.above.above == nil {
		return "/" + n.name
	}
	return n.above.path() + "/" + n.name
}

// scan reads an upper directory into memory, without the bodies of its files,
// of which it takes the digests.
type scan struct {
	root   string
	prefix string // of marks
	pool   *pool
	count  counter
	xattrs xattrReader

	mu     sync.Mutex
	inodes map[inode]*upperInode // with several names
}

// run reads all below d.
func (s *scan) run(ctx context.Context, d *openDir, workers int) (*upperNode, error) {
	root := &upperNode{dir: true}
	s.pool.push(job{d, func(ctx context.Context, wk *worker) error { return s.folder(ctx, wk, root, d) }})
	return root, s.pool.run(ctx, workers)
}

func (s *scan) at(n *upperNode) string { return join(s.root, n.path()) }

// folder reads a directory: itself, and what it holds.
func (s *scan) folder(ctx context.Context, wk *worker, n *upperNode, d *openDir) error {
	var st unix.Statx_t
	err := statx(d.fd, "", &st)
	if err == nil {
		n.attr, n.marks, err = s.attr(d, "", &st, wk)
	}
	var list []dirent
	if err == nil {
		list, err = names(d.fd, wk.buf)
	}
	if err != nil {
		return pathError("capture", s.at(n), err)
	}
	nodes := make([]upperNode, len(list))
	n.kids = make([]*upperNode, len(list))
	for i, e := range list {
		nodes[i] = upperNode{above: n, name: e.name}
		n.kids[i] = &nodes[i]
	}
	var jobs []job
	for part := range slices.Chunk(n.kids[:len(list):len(list)], batch) {
		part := slices.Clone(part)
		jobs = append(jobs, job{d, func(ctx context.Context, wk *worker) error { return s.names(ctx, wk, d, part) }})
	}
	slices.SortFunc(n.kids, func(a, b *upperNode) int { return strings.Compare(a.name, b.name) })
	s.pool.push(jobs...)
	return nil
}

// names reads some of the names in a directory.
func (s *scan) names(ctx context.Context, wk *worker, d *openDir, list []*upperNode) error {
	var jobs []job
	for _, n := range list {
		err := ctx.Err()
		if err == nil {
			err = s.name(ctx, wk, d, n)
		}
		if err != nil {
			return pathError("capture", s.at(n), err)
		}
		if n.dir {
			jobs = append(jobs, job{d, func(ctx context.Context, wk *worker) error { return s.enter(ctx, wk, n, d) }})
		}
	}
	s.pool.push(jobs...)
	s.count.entries.Add(int64(len(list)))
	s.count.tick()
	return nil
}

func (s *scan) enter(ctx context.Context, wk *worker, n *upperNode, in *openDir) error {
	fd, err := openat(in.fd, n.name, dirFlags)
	if err != nil {
		return pathError("open", s.at(n), err)
	}
	d := newOpenDir(fd)
	defer d.release()
	return s.folder(ctx, wk, n, d)
}

// name reads one name.
func (s *scan) name(ctx context.Context, wk *worker, d *openDir, n *upperNode) error {
	var st unix.Statx_t
	if err := statx(d.fd, n.name, &st); err != nil {
		return err
	}
	switch {
	case kindOf(&st) == unix.S_IFDIR:
		n.dir = true
		return nil
	case kindOf(&st) == unix.S_IFCHR && st.Rdev_major == 0 && st.Rdev_minor == 0:
		n.whiteout = true
		return nil
	}
	in, first := s.inode(&st, n)
	n.inode = in
	if !first {
		select {
		case <-in.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	} else {
		var err error
		in.entry, in.marks, err = s.entry(ctx, wk, d, n, &st)
		close(in.done)
		if err != nil {
			return err
		}
	}
	n.entry, n.marks = in.entry, in.marks
	if f, ok := n.entry.(tree.File); ok {
		n.whiteout = n.marks.whiteout && f.Size == 0
		s.count.file(f.Size)
	}
	return nil
}

// inode gives the inode of a name, and whether the name is its first.
func (s *scan) inode(st *unix.Statx_t, n *upperNode) (in *upperInode, first bool) {
	if st.Nlink < 2 {
		return &upperInode{done: make(chan struct{}), nodes: []*upperNode{n}}, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	in = s.inodes[inodeOf(st)]
	if first = in == nil; first {
		in = &upperInode{done: make(chan struct{})}
		s.inodes[inodeOf(st)] = in
	}
	in.nodes = append(in.nodes, n)
	return in, first
}

func (s *scan) attr(d *openDir, name string, st *unix.Statx_t, wk *worker) (tree.Attr, marks, error) {
	a, err := attrOf(st, nil)
	if err != nil {
		return a, marks{}, err
	}
	all, err := s.xattrs.read(d, name, wk.buf)
	var m marks
	m, a.Xattrs = splitMarks(all, s.prefix)
	return a, m, err
}

// entry reads an inode that is not a directory.
func (s *scan) entry(ctx context.Context, wk *worker, d *openDir, n *upperNode, st *unix.Statx_t) (tree.Entry, marks, error) {
	a, m, err := s.attr(d, n.name, st, wk)
	if err != nil {
		return nil, m, err
	}
	switch kindOf(st) {
	case unix.S_IFREG:
		f := tree.File{Attributes: a, Size: int64(st.Size)}
		if f.Size > 0 && !m.metacopy {
			b, err := openBody(d.fd, n.name, st)
			if err != nil {
				return nil, m, s.changed(n, err)
			}
			defer b.close()
			if f.Content, err = b.sum(ctx, wk.room(st.Size), s.count.read); err != nil {
				return nil, m, s.changed(n, err)
			}
			s.count.readFiles.Add(1)
		}
		return f, m, nil
	case unix.S_IFLNK:
		target, err := readlink(d.fd, n.name, wk.buf)
		return tree.Symlink{Attributes: a, Target: target}, m, err
	}
	if e := special(st, a); e != nil {
		return e, m, nil
	}
	return nil, m, errors.New("it is of an unknown kind")
}

func (s *scan) changed(n *upperNode, err error) error {
	if errors.Is(err, errAgain) {
		return &ChangedError{Path: s.at(n), Tries: 1}
	}
	return err
}
