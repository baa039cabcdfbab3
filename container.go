package inlay

import (
	"slices"

	"github.com/inlaybuild/inlay/graph"
)

// Container is a file system in which processes run, with their environment. It
// can become an image. The zero Container is empty.
type Container struct {
	root   Directory // with the configuration
	mounts []mount
}

// mount is something that following execs see.
type mount struct {
	graph.Mount
	src *graph.Node // of a tree
}

// FromOptions say which image a name stands for.
type FromOptions struct {
	Platform string // "os/arch[/variant]"; "" is this machine's
}

// From gives the container of an image or a tree that has a name: a name in the
// store, a registry's reference, "oci:DIR[:TAG]", "oci-archive:FILE",
// "docker-archive:FILE", "tar:FILE", "dir:PATH", "scratch", a digest.
func From(source string, opts ...FromOptions) Container {
	f := graph.From{Source: source}
	if len(opts) > 0 {
		f.Platform = opts[0].Platform
	}
	return Container{root: DirectoryOf(graph.New(f, call("From", source)))}
}

// Node gives the node that the container's root stands for.
func (c Container) Node() *graph.Node { return c.root.Node() }

// Root gives the container's file system, without what is mounted.
func (c Container) Root() Directory { return c.root }

// Directory gives the directory at a path, sealed.
func (c Container) Directory(at string) Directory { return c.root.Directory(at) }

// File gives the file at a path.
func (c Container) File(at string) File { return c.root.File(at) }

func (c Container) with(d Directory) Container {
	c.root = d
	return c
}

// WithRoot gives the container with another file system, and its own
// configuration.
func (c Container) WithRoot(d Directory) Container {
	emptied := c.root.with(graph.Remove{Paths: []string{"/*"}}, "WithRoot()")
	return c.with(emptied.with(graph.Merge{}, "WithRoot()", d.Node())) // the root's attributes are d's too
}

// WithFile is [Directory.WithFile] of the root.
func (c Container) WithFile(to string, f File, opts ...CopyOptions) Container {
	return c.with(c.root.WithFile(to, f, opts...))
}

// WithFiles is [Directory.WithFiles] of the root.
func (c Container) WithFiles(to string, files []File, opts ...CopyOptions) Container {
	return c.with(c.root.WithFiles(to, files, opts...))
}

// WithDirectory is [Directory.WithDirectory] of the root.
func (c Container) WithDirectory(to string, src Directory, opts ...CopyOptions) Container {
	return c.with(c.root.WithDirectory(to, src, opts...))
}

// WithCopy is [Directory.WithCopy] of the root.
func (c Container) WithCopy(to string, src Directory, from []string, opts ...CopyOptions) Container {
	return c.with(c.root.WithCopy(to, src, from, opts...))
}

// WithNewFile is [Directory.WithNewFile] of the root.
func (c Container) WithNewFile(at, content string, opts ...CopyOptions) Container {
	return c.with(c.root.WithNewFile(at, content, opts...))
}

// WithNewDirectory is [Directory.WithNewDirectory] of the root.
func (c Container) WithNewDirectory(at string, opts ...CopyOptions) Container {
	return c.with(c.root.WithNewDirectory(at, opts...))
}

// WithSymlink is [Directory.WithSymlink] of the root.
func (c Container) WithSymlink(target, at string, opts ...CopyOptions) Container {
	return c.with(c.root.WithSymlink(target, at, opts...))
}

// WithoutFile is [Directory.WithoutFile] of the root.
func (c Container) WithoutFile(at string) Container {
	return c.with(c.root.WithoutFile(at))
}

// WithoutDirectory is [Directory.WithoutDirectory] of the root.
func (c Container) WithoutDirectory(at string) Container {
	return c.with(c.root.WithoutDirectory(at))
}

// WithoutPaths is [Directory.WithoutPaths] of the root.
func (c Container) WithoutPaths(patterns ...string) Container {
	return c.with(c.root.WithoutPaths(patterns...))
}

// WithRenamed is [Directory.WithRenamed] of the root.
func (c Container) WithRenamed(from, to string, opts ...EditOptions) Container {
	return c.with(c.root.WithRenamed(from, to, opts...))
}

// WithHardlink is [Directory.WithHardlink] of the root.
func (c Container) WithHardlink(target, at string, opts ...EditOptions) Container {
	return c.with(c.root.WithHardlink(target, at, opts...))
}

// WithMode is [Directory.WithMode] of the root.
func (c Container) WithMode(mode string, paths []string, opts ...AttrOptions) Container {
	return c.with(c.root.WithMode(mode, paths, opts...))
}

// WithOwner is [Directory.WithOwner] of the root.
func (c Container) WithOwner(owner string, paths []string, opts ...AttrOptions) Container {
	return c.with(c.root.WithOwner(owner, paths, opts...))
}

// WithTime is [Directory.WithTime] of the root.
func (c Container) WithTime(seconds int64, paths []string, opts ...AttrOptions) Container {
	return c.with(c.root.WithTime(seconds, paths, opts...))
}

// WithDefaultOverlay is [Directory.WithDefaultOverlay] of the root.
func (c Container) WithDefaultOverlay(on bool) Container {
	return c.with(c.root.WithDefaultOverlay(on))
}

// WithMerged is [Directory.WithMerged] of the root.
func (c Container) WithMerged(over ...Directory) Container {
	return c.with(c.root.WithMerged(over...))
}

// WithChanges is [Directory.WithChanges] of the root.
func (c Container) WithChanges(s ChangeSet) Container {
	return c.with(c.root.WithChanges(s))
}

// ExecOptions say how a process is run.
type ExecOptions struct {
	UseEntrypoint bool     // put the image's entrypoint before the arguments
	Stdin         string   // what the process can read
	NoNetwork     bool     // the process reaches only itself
	Expect        []int    // exit codes that are no failure; none stands for 0
	Env           []string // variables of this process alone, as "NAME=value"
	Again         string   // anything: a value not given before makes the process run again
}

// WithExec gives the container after a process ran in it. Without arguments it
// runs the image's entrypoint with its default arguments.
func (c Container) WithExec(args []string, opts ...ExecOptions) Container {
	e := graph.Exec{Args: slices.Clone(args)}
	if len(opts) > 0 {
		o := opts[0]
		e.UseEntrypoint, e.Expect, e.Env, e.NoCache = o.UseEntrypoint, slices.Clone(o.Expect), slices.Clone(o.Env), o.Again
		e.Stdin = []byte(o.Stdin)
		if o.NoNetwork {
			e.Network = graph.NetworkNone
		}
	}
	if len(args) == 0 {
		e.UseEntrypoint = true
	}
	var inputs []*graph.Node
	e.Mounts, inputs = c.mounted()
	return c.with(c.root.with(e, call("WithExec", args), inputs...))
}

// mounted gives what a process sees beside the root, and the inputs that it comes
// from, behind the root.
func (c Container) mounted() (mounts []graph.Mount, inputs []*graph.Node) {
	for _, m := range c.mounts {
		if m.src != nil {
			inputs = append(inputs, m.src)
			m.Input = len(inputs)
		}
		mounts = append(mounts, m.Mount)
	}
	return mounts, inputs
}
