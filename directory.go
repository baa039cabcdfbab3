package inlay

import (
	"path"
	"slices"

	"github.com/inlaybuild/inlay/graph"
)

// Directory is a file system, or a part of one. The zero Directory is empty.
type Directory struct {
	node    *graph.Node
	overlay bool // copies that follow are overlays unless they say otherwise
}

// Scratch is the empty directory.
func Scratch() Directory { return Directory{} }

// DirectoryOf gives the directory that a node stands for. It is for who adds
// ops to the graph.
func DirectoryOf(n *graph.Node) Directory { return Directory{node: n} }

// On gives a directory that stands for another node, with the defaults that were
// set for the calls that follow. It is for who adds ops to the graph.
func (d Directory) On(n *graph.Node) Directory {
	d.node = n
	return d
}

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
	return DirectoryOf(graph.New(h, call("HostDirectory", hostPath)))
}

func (d Directory) with(op graph.Op, call string, more ...*graph.Node) Directory {
	return d.On(graph.New(op, call, append([]*graph.Node{d.Node()}, more...)...))
}

// WithDefaultOverlay gives d with another default for the copies that follow:
// whether they are overlays if their options do not say. Nothing of d changes.
func (d Directory) WithDefaultOverlay(on bool) Directory {
	d.overlay = on
	return d
}

// options gives the options of a copy into d.
func (d Directory) options(opts []CopyOptions) CopyOptions {
	o := one(opts)
	if d.overlay && !o.NoOverlay {
		o.Overlay = true
	}
	return o
}

// WithFile gives d with a file at a path: under its own name if the path ends in
// a slash or leads to a directory, otherwise as what stands there.
func (d Directory) WithFile(to string, f File, opts ...CopyOptions) Directory {
	o := d.options(opts)
	o.File = true
	f = f.kept(o)
	op := graph.Copy{To: to, From: []string{literal(f.path)}, Options: o}
	return d.with(op, call("WithFile", to), f.dir.Node())
}

// WithFiles gives d with files in the directory at a path, each under its own
// name.
func (d Directory) WithFiles(to string, files []File, opts ...CopyOptions) Directory {
	o := d.options(opts)
	o.File = true
	for _, f := range files {
		f = f.kept(o)
		op := graph.Copy{To: path.Clean("/"+to) + "/", From: []string{literal(f.path)}, Options: o}
		d = d.with(op, call("WithFiles", to), f.dir.Node())
	}
	return d
}

// WithDirectory gives d with the contents of another directory in the directory
// at a path, which is created if need be.
func (d Directory) WithDirectory(to string, src Directory, opts ...CopyOptions) Directory {
	o := d.options(opts)
	o.Contents = true
	return d.with(graph.Copy{To: to, From: []string{"/"}, Options: o}, call("WithDirectory", to), src.Node())
}

// WithCopy gives d with what paths or patterns of another directory lead to, as
// COPY of a Dockerfile does: files under their own names, contents of
// directories.
func (d Directory) WithCopy(to string, src Directory, from []string, opts ...CopyOptions) Directory {
	return d.with(graph.Copy{To: to, From: slices.Clone(from), Options: d.options(opts)}, call("WithCopy", to, from), src.Node())
}

// WithNewFile gives d with a file of the given content, mode 0644 unless the
// options say otherwise.
func (d Directory) WithNewFile(at, content string, opts ...CopyOptions) Directory {
	return d.with(graph.NewFile{Path: at, Content: []byte(content), Options: d.options(opts)}, call("WithNewFile", at))
}

// WithNewDirectory gives d with a directory at a path, made with its parents,
// mode 0755 unless the options say otherwise. One that is there stays.
func (d Directory) WithNewDirectory(at string, opts ...CopyOptions) Directory {
	return d.with(graph.NewDirectory{Path: at, Options: d.options(opts)}, call("WithNewDirectory", at))
}

// WithSymlink gives d with a symlink to target at a path.
func (d Directory) WithSymlink(target, at string, opts ...CopyOptions) Directory {
	return d.with(graph.Symlink{Path: at, Target: target, Options: d.options(opts)}, call("WithSymlink", target, at))
}

// WithoutFile gives d without a file. That there is none is no error.
func (d Directory) WithoutFile(at string) Directory {
	return d.with(graph.Remove{Paths: []string{literal(at)}}, call("WithoutFile", at))
}

// WithoutDirectory gives d without a directory and all that it holds. That there
// is none is no error.
func (d Directory) WithoutDirectory(at string) Directory {
	return d.with(graph.Remove{Paths: []string{literal(at)}}, call("WithoutDirectory", at))
}

// WithoutPaths gives d without all that patterns match: * ? and [...] within a
// name, ** for any number of names. A pattern that matches nothing is no error.
func (d Directory) WithoutPaths(patterns ...string) Directory {
	return d.with(graph.Remove{Paths: slices.Clone(patterns)}, call("WithoutPaths", patterns))
}

// WithRenamed gives d with what one path leads to at another path, with all that
// it holds. Missing parents are made; what stands there is replaced. To a path
// that ends in a slash it goes under its own name.
func (d Directory) WithRenamed(from, to string, opts ...EditOptions) Directory {
	return d.with(graph.Rename{From: from, To: to, Existing: last(opts).existing()}, call("WithRenamed", from, to))
}

// WithHardlink gives d with another name, at a path, for what target leads to:
// they are one inode. A symlink that target ends in is not followed, as for link(2).
func (d Directory) WithHardlink(target, at string, opts ...EditOptions) Directory {
	return d.with(graph.Hardlink{Target: target, Path: at, Existing: last(opts).existing()}, call("WithHardlink", target, at))
}

// WithMode gives d with the modes of what paths lead to, and patterns find, and
// of all below it changed: octal sets all twelve bits, symbolic such as u+rwX does
// what chmod(1) does. Symlinks have no mode. No content is read or written.
func (d Directory) WithMode(mode string, paths []string, opts ...AttrOptions) Directory {
	return d.withAttr(graph.SetAttr{Mode: mode}, call("WithMode", mode, paths), paths, opts)
}

// WithOwner gives d with the owners of what paths lead to, and patterns find, and
// of all below it changed: "user[:group]", numbers or names of d.
func (d Directory) WithOwner(owner string, paths []string, opts ...AttrOptions) Directory {
	return d.withAttr(graph.SetAttr{Owner: owner}, call("WithOwner", owner, paths), paths, opts)
}

// WithTime gives d with the times of modification of what paths lead to, and
// patterns find, and of all below it changed, to seconds since the epoch.
func (d Directory) WithTime(seconds int64, paths []string, opts ...AttrOptions) Directory {
	return d.withAttr(graph.SetAttr{Time: &seconds}, call("WithTime", seconds, paths), paths, opts)
}

func (d Directory) withAttr(op graph.SetAttr, call string, paths []string, opts []AttrOptions) Directory {
	op.Paths, op.Shallow = slices.Clone(paths), last(opts).Shallow
	return d.with(op, call)
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
