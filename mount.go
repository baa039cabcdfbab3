package inlay

import (
	"path"
	"slices"

	"github.com/inlaybuild/inlay/graph"
)

func (c Container) mount(m mount) Container {
	c.mounts = append(slices.Clone(c.mounts), m)
	return c
}

// WithMountedDirectory gives the container with a directory shown at a path to
// the processes that follow. It does not become part of the container; what
// they write there is lost.
func (c Container) WithMountedDirectory(at string, d Directory) Container {
	return c.mount(mount{graph.Mount{Kind: graph.MountTree, Target: at}, d.Node()})
}

// WithMountedFile gives the container with a file shown at a path to the
// processes that follow.
func (c Container) WithMountedFile(at string, f File) Container {
	return c.mount(mount{graph.Mount{Kind: graph.MountTree, Target: at, Path: f.path}, f.dir.Node()})
}

// WithMountedCache gives the container with a directory that stays between
// runs, by its name, and that several processes may use at once.
func (c Container) WithMountedCache(at, name string) Container {
	return c.mount(mount{Mount: graph.Mount{Kind: graph.MountCache, Target: at, Name: name}})
}

// WithMountedTemp gives the container with an empty directory in memory for
// each process that follows.
func (c Container) WithMountedTemp(at string) Container {
	return c.mount(mount{Mount: graph.Mount{Kind: graph.MountTemp, Target: at}})
}

// WithMountedSecret gives the container with a secret as a file that only its
// owner, root, can read. The secret is in no store, log or image.
func (c Container) WithMountedSecret(at string, s Secret) Container {
	return c.mount(mount{Mount: graph.Mount{Kind: graph.MountSecret, Target: at, Name: s.name}})
}

// WithoutMount gives the container without what is mounted at a path.
func (c Container) WithoutMount(at string) Container {
	at = path.Clean("/" + at)
	c.mounts = slices.DeleteFunc(slices.Clone(c.mounts), func(m mount) bool { return path.Clean("/"+m.Target) == at })
	return c
}

// Secret names a secret, and where its value is to be had when a process needs
// it.
type Secret struct {
	name string
}

// SecretEnv is the secret in a variable of the client's environment.
func SecretEnv(name string) Secret { return Secret{"env:" + name} }

// SecretFile is the secret in a file of this machine.
func SecretFile(hostPath string) Secret { return Secret{"file:" + hostPath} }
