package capture

import (
	"context"
	"fmt"

	"github.com/inlaybuild/inlay/tree"
)

// adoption gives the bodies of an upper directory to a sink.
type adoption struct {
	scan *scan
	sink Adopter
	root *openDir
}

// run gives the bodies of nodes to the sink, each inode once.
func (a *adoption) run(ctx context.Context, nodes []*upperNode) error {
	byDir := map[*upperNode][]*upperNode{}
	var dirs []*upperNode
	done := map[*upperInode]bool{}
	for _, n := range nodes {
		f, ok := n.entry.(tree.File)
		if !ok || f.Size == 0 || n.marks.metacopy || done[n.inode] {
			continue
		}
		done[n.inode] = true
		if byDir[n.above] == nil {
			dirs = append(dirs, n.above)
		}
		byDir[n.above] = append(byDir[n.above], n)
	}
	if len(dirs) == 0 {
		return nil
	}
	pool := newPool()
	for _, dir := range dirs {
		list := byDir[dir]
		pool.push(job{a.root, func(ctx context.Context, _ *worker) error { return a.dir(ctx, dir, list) }})
	}
	const workers = 4
	return pool.run(ctx, min(workers, len(dirs)))
}

// dir gives the bodies of files in one directory.
func (a *adoption) dir(ctx context.Context, dir *upperNode, list []*upperNode) error {
	d, err := a.open(dir)
	if err != nil {
		return pathError("capture", a.scan.at(dir), err)
	}
	defer d.release()
	for _, n := range list {
		f := n.entry.(tree.File)
		if err := a.sink.Adopt(ctx, d.proc(n.name), f.Content, f.Size); err != nil {
			return fmt.Errorf("capture %s: %w", a.scan.at(n), err)
		}
	}
	return nil
}

// open opens a directory by its names, one after the other.
func (a *adoption) open(n *upperNode) (*openDir, error) {
	if n.above == nil {
		a.root.hold()
		return a.root, nil
	}
	above, err := a.open(n.above)
	if err != nil {
		return nil, err
	}
	defer above.release()
	fd, err := openat(above.fd, n.name, dirFlags)
	if err != nil {
		return nil, err
	}
	return newOpenDir(fd), nil
}
