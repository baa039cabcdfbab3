package inlay

import (
	"path"
	"path/filepath"

	"github.com/inlaybuild/inlay/graph"
)

// File is one file of a directory.
type File struct {
	dir  Directory
	path string
}

// HostFile is a file of this machine, owned by 0:0. It is read when it is
// resolved.
func HostFile(hostPath string) File {
	n := graph.New(graph.Host{Path: hostPath, File: true}, call("HostFile", hostPath))
	return File{dir: DirectoryOf(n), path: "/" + filepath.Base(hostPath)}
}

// kept gives the file for a copy that keeps links: of this machine, too, a symlink
// is read then and not what it leads to.
func (f File) kept(o CopyOptions) File {
	n := f.dir.Node()
	host, ok := n.Op().(graph.Host)
	if !ok || !host.File || !o.KeepLink {
		return f
	}
	host.KeepLink = true
	f.dir = f.dir.On(graph.New(host, n.Call(), n.Inputs()...))
	return f
}

// NewFile is a file with the given content, mode 0644.
func NewFile(name, content string, opts ...CopyOptions) File {
	op := graph.NewFile{Path: name, Content: []byte(content), Options: one(opts)}
	n := graph.New(op, call("NewFile", name), Scratch().Node())
	return File{dir: DirectoryOf(n), path: path.Clean("/" + name)}
}

// Name gives the last name of the file's path.
func (f File) Name() string { return path.Base(path.Clean("/" + f.path)) }

// Directory gives the directory that the file is in, and its path there.
func (f File) Directory() (Directory, string) { return f.dir, f.path }
