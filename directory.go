package inlay

import (
	"path"
	"slices"

	"github.com/inlaybuild/inlay/graph"
)

// Directory is a file system, or a part of one. The zero Directory is empty.
type Directory struct {
	node *graph.Node
}

// Scratch is the empty directory.
func Scratch() Directory { return Directory{} }

// DirectoryOf gives the directory that a node stands for. It is for who adds
// ops to the graph.
func DirectoryOf(n *graph.Node) Directory { return Directory{n} }

// Node gives the node that the directory stands for.
func (d Directory) Node() *graph.Node {
	if d.node == nil {
		return graph.New(graph.Scratch{}, "Scratch()")
	}
	return d.node
}

// HostOptions say what of a directory of this machine is taken.
type HostOptions struct {
	Include   []string // only what matches one of these, in the language of .dockerignore
	Exclude   []string // not what matches these
	Gitignore bool     // not what its .gitignore files ignore
	KeepOwner bool     // owners as on this machine; otherwise everything is 0:0
}

// HostDirectory is a directory of this machine. It is read when it is resolved.
func HostDirectory(hostPath string, opts ...HostOptions) Directory {
	h := graph.Host{Path: hostPath}
	if len(opts) > 0 {
		o := opts[0]
		h.Include, h.Exclude = slices.Clone(o.Include), slices.Clone(o.Exclude)
		h.Gitignore, h.KeepOwner = o.Gitignore, o.KeepOwner
	}
	return Directory{graph.New(h, call("HostDirectory", hostPath))}
}

func (d Directory) with(op graph.Op, call string, more ...*graph.Node) Directory {
	return Directory{graph.New(op, call, append([]*graph.Node{d.Node()}, more...)...)}
}

// WithFile gives d with a file at a path: under its own name if the path ends in
// a slash or leads to a directory, otherwise as what stands there.
func (d Directory) WithFile(to string, f File, opts ...CopyOptions) Directory {
	o := one(opts)
	o.File = true
	op := graph.Copy{To: to, From: []string{literal(f.path)}, Options: o}
	return d.with(op, call("WithFile", to), f.dir.Node())
}

// WithFiles gives d with files in the directory at a path, each under its own
// name.
func (d Directory) WithFiles(to string, files []File, opts ...CopyOptions) Directory {
	o := one(opts)
	o.File = true
	for _, f := range files {
		op := graph.Copy{To: path.Clean("/"+to) + "/", From: []string{literal(f.path)}, Options: o}
		d = d.with(op, call("WithFiles", to), f.dir.Node())
	}
	return d
}

// WithDirectory gives d with the contents of another directory in the directory
// at a path, which is created if need be.
func (d Directory) WithDirectory(to string, src Directory, opts ...CopyOptions) Directory {
	o := one(opts)
	o.Contents = true
	return d.with(graph.Copy{To: to, From: []string{"/"}, Options: o}, call("WithDirectory", to), src.Node())
}

// WithCopy gives d with what paths or patterns of another directory lead to, as
// COPY of a Dockerfile does: files under their own names, contents of
// directories.
func (d Directory) WithCopy(to string, src Directory, from []string, opts ...CopyOptions) Directory {
	return d.with(graph.Copy{To: to, From: slices.Clone(from), Options: one(opts)}, call("WithCopy", to, from), src.Node())
}

// WithNewFile gives d with a file of the given content, mode 0644 unless the
// options say otherwise.
func (d Directory) WithNewFile(at, content string, opts ...CopyOptions) Directory {
	return d.with(graph.NewFile{Path: at, Content: []byte(content), Options: one(opts)}, call("WithNewFile", at))
}

// WithNewDirectory gives d with a directory at a path, made with its parents,
// mode 0755 unless the options say otherwise. One that is there stays.
func (d Directory) WithNewDirectory(at string, opts ...CopyOptions) Directory {
	return d.with(graph.NewDirectory{Path: at, Options: one(opts)}, call("WithNewDirectory", at))
}

// WithSymlink gives d with a symlink to target at a path.
func (d Directory) WithSymlink(target, at string, opts ...CopyOptions) Directory {
	return d.with(graph.Symlink{Path: at, Target: target, Options: one(opts)}, call("WithSymlink", target, at))
}

// WithoutFile gives d without a file. That there is none is no error.
func (d Directory) WithoutFile(at string) Directory {
	return d.with(graph.Remove{Paths: []string{at}}, call("WithoutFile", at))
}

// WithoutDirectory gives d without a directory and all that it holds. That there
// is none is no error.
func (d Directory) WithoutDirectory(at string) Directory {
	return d.with(graph.Remove{Paths: []string{at}}, call("WithoutDirectory", at))
}

// WithMerged gives d with other directories laid over it, in their order, as
// layers of an image are: a directory takes the place of a symlink.
func (d Directory) WithMerged(over ...Directory) Directory {
	var nodes []*graph.Node
	for _, o := range over {
		nodes = append(nodes, o.Node())
	}
	return d.with(graph.Merge{}, call("WithMerged", len(over)), nodes...)
}

// WithChanges gives d changed by a change set.
func (d Directory) WithChanges(c ChangeSet) Directory {
	return d.with(graph.Merge{}, "WithChanges()", c.Node())
}

// Diff gives what makes other of d.
func (d Directory) Diff(other Directory) ChangeSet {
	return ChangeSet{graph.New(graph.Diff{}, "Diff()", d.Node(), other.Node())}
}

// Directory gives the directory at a path of d, as a file system of its own:
// nothing outside of it can be reached from it.
func (d Directory) Directory(at string) Directory {
	return d.with(graph.Sub{Path: at}, call("Directory", at))
}

// File gives the file at a path of d.
func (d Directory) File(at string) File {
	return File{dir: d, path: at}
}

// Container gives a container with d as its root and no configuration.
func (d Directory) Container() Container {
	return Container{root: d}
}
