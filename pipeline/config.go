package pipeline

import (
	"context"
	"strings"

	"github.com/inlaybuild/inlay"
)

func configWords() []Word {
	words := []Word{{
		Name: "with-env", Args: "NAME=VALUE | NAME VALUE", Short: "set a variable",
		Flags:   []Flag{{Name: "expand", Help: "$NAME and ${NAME} in VALUE stand for the image's variables; use single quotes"}},
		Example: "from debian:12 | with-env --expand 'PATH=/opt/bin:$PATH' | export oci:out",
		min:     1, max: 2, label: 1, run: runWithEnv,
	}, {
		Name: "without-env", Args: "NAME", Short: "take a variable away",
		Example: "from debian:12 | without-env DEBUG | export oci:out",
		min:     1, max: 1, label: 1, run: textWord(inlay.Container.WithoutEnv),
	}, {
		Name: "with-workdir", Args: "PATH", Short: "another working directory",
		Example: "from debian:12 | with-workdir /srv | with-exec -- pwd | stdout",
		min:     1, max: 1, label: 1, run: textWord(inlay.Container.WithWorkdir),
	}, {
		Name: "with-user", Args: "USER[:GROUP]", Short: "processes are run by another user",
		Example: "from debian:12 | with-user nobody | with-exec -- id -un | stdout",
		min:     1, max: 1, label: 1, run: textWord(inlay.Container.WithUser),
	}, {
		Name: "with-entrypoint", Args: "[--] ARGS...", Short: "another entrypoint, without default arguments", rest: true,
		Example: "from debian:12 | with-entrypoint /bin/tool | export oci:out",
		max:     -1, label: -1, run: textsWord(inlay.Container.WithEntrypoint),
	}, {
		Name: "with-default-args", Args: "[--] ARGS...", Short: "other default arguments of the entrypoint", rest: true,
		Example: "from debian:12 | with-default-args -- sh -l | export oci:out",
		max:     -1, label: -1, run: textsWord(inlay.Container.WithDefaultArgs),
	}, {
		Name: "with-label", Args: "NAME=VALUE | NAME VALUE", Short: "a label of the image",
		Example: "from debian:12 | with-label org.opencontainers.image.title=tool | export oci:out",
		min:     1, max: 2, label: 1, run: runWithLabel,
	}, {
		Name: "without-label", Args: "NAME", Short: "take a label away",
		Example: "from debian:12 | without-label maintainer | export oci:out",
		min:     1, max: 1, label: 1, run: textWord(inlay.Container.WithoutLabel),
	}, {
		Name: "with-exposed-port", Args: "PORT[/PROTOCOL]", Short: "a port that the image says it listens on",
		Example: "from debian:12 | with-exposed-port 53/udp | export oci:out",
		min:     1, max: 1, label: 1, run: textWord(inlay.Container.WithExposedPort),
	}}
	for i := range words {
		words[i].Group, words[i].on = Config, isSystem
	}
	return words
}

// textWord is a word that configures by one text.
func textWord(f func(inlay.Container, string) inlay.Container) func(context.Context, *call) (value, error) {
	return func(_ context.Context, c *call) (value, error) {
		arg := c.text(0)
		return c.configure(func(to inlay.Container) inlay.Container { return f(to, arg) })
	}
}

// textsWord is a word that configures by all its arguments.
func textsWord(f func(inlay.Container, []string) inlay.Container) func(context.Context, *call) (value, error) {
	return func(_ context.Context, c *call) (value, error) {
		args := c.texts(0)
		return c.configure(func(to inlay.Container) inlay.Container { return f(to, args) })
	}
}

// pair reads NAME=VALUE or NAME VALUE.
func (c *call) pair() (name, val string) {
	args := c.texts(0)
	if len(args) == 2 {
		return args[0], args[1]
	}
	name, val, ok := strings.Cut(args[0], "=")
	if !ok || name == "" {
		c.fail(c.args[0].at, "%s %s: want NAME=VALUE or NAME VALUE", c.parsed.word.Name, clip(args[0]))
	}
	return name, val
}

func runWithEnv(_ context.Context, c *call) (value, error) {
	name, val := c.pair()
	return c.configure(func(to inlay.Container) inlay.Container {
		if c.has("expand") {
			return to.WithEnvExpanded(name, val)
		}
		return to.WithEnv(name, val)
	})
}

func runWithLabel(_ context.Context, c *call) (value, error) {
	name, val := c.pair()
	return c.configure(func(to inlay.Container) inlay.Container { return to.WithLabel(name, val) })
}
