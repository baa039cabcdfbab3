package inlay

import (
	"slices"

	"github.com/inlaybuild/inlay/graph"
)

func (c Container) configure(op graph.Configure, name string) Container {
	return c.with(c.root.with(op, name))
}

// WithEnv gives the container with a variable set. $NAME and ${NAME} in the
// value stay as they are; see [Container.WithEnvExpanded].
func (c Container) WithEnv(name, value string) Container {
	e := graph.EnvChange{Name: name, Value: value}
	return c.configure(graph.Configure{Env: []graph.EnvChange{e}}, call("WithEnv", name))
}

// WithEnvExpanded gives the container with a variable set, in which $NAME and
// ${NAME} stand for what these variables are so far.
func (c Container) WithEnvExpanded(name, value string) Container {
	e := graph.EnvChange{Name: name, Value: value, Expand: true}
	return c.configure(graph.Configure{Env: []graph.EnvChange{e}}, call("WithEnvExpanded", name))
}

// WithoutEnv gives the container without a variable.
func (c Container) WithoutEnv(name string) Container {
	e := graph.EnvChange{Name: name, Unset: true}
	return c.configure(graph.Configure{Env: []graph.EnvChange{e}}, call("WithoutEnv", name))
}

// WithWorkdir gives the container with another working directory; a relative
// one starts at the one before.
func (c Container) WithWorkdir(dir string) Container {
	return c.configure(graph.Configure{Workdir: &dir}, call("WithWorkdir", dir))
}

// WithUser gives the container with processes run by another user:
// "user[:group]", by names of the container or by numbers.
func (c Container) WithUser(user string) Container {
	return c.configure(graph.Configure{User: &user}, call("WithUser", user))
}

// WithEntrypoint gives the container with another entrypoint, and without
// default arguments.
func (c Container) WithEntrypoint(args []string) Container {
	none := []string{}
	args = slices.Clone(args)
	return c.configure(graph.Configure{Entrypoint: &args, DefaultArgs: &none}, call("WithEntrypoint", args))
}

// WithDefaultArgs gives the container with other default arguments of its
// entrypoint.
func (c Container) WithDefaultArgs(args []string) Container {
	args = slices.Clone(args)
	return c.configure(graph.Configure{DefaultArgs: &args}, call("WithDefaultArgs", args))
}

// WithLabel gives the container with a label of its image.
func (c Container) WithLabel(name, value string) Container {
	return c.configure(graph.Configure{Labels: map[string]string{name: value}}, call("WithLabel", name))
}

// WithoutLabel gives the container without a label.
func (c Container) WithoutLabel(name string) Container {
	return c.configure(graph.Configure{WithoutLabel: []string{name}}, call("WithoutLabel", name))
}

// WithExposedPort gives the container with a port that its image says it
// listens on: "80" or "53/udp".
func (c Container) WithExposedPort(port string) Container {
	return c.configure(graph.Configure{ExposedPorts: []string{port}}, call("WithExposedPort", port))
}
