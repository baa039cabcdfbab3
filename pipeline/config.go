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
		min:     1, max: 1, label: 1,
		run: configWord(func(c inlay.Container, a []string) inlay.Container { return c.WithoutEnv(a[0]) }),
	}, {
		Name: "with-workdir", Args: "PATH", Short: "another working directory",
		Example: "from debian:12 | with-workdir /srv | with-exec -- pwd | stdout",
		min:     1, max: 1, label: 1,
		run: configWord(func(c inlay.Container, a []string) inlay.Container { return c.WithWorkdir(a[0]) }),
	}, {
		Name: "with-user", Args: "USER[:GROUP]", Short: "processes are run by another user",
		Example: "from debian:12 | with-user nobody | with-exec -- id -un | stdout",
		min:     1, max: 1, label: 1,
		run: configWord(func(c inlay.Container, a []string) inlay.Container { return c.WithUser(a[0]) }),
	}, {
		Name: "with-entrypoint", Args: "[--] ARGS...", Short: "another entrypoint, without default arguments", rest: true,
		Example: "from debian:12 | with-entrypoint /bin/tool | export oci:out",
		max:     -1, label: -1,
		run: configWord(func(c inlay.Container, a []string) inlay.Container { return c.WithEntrypoint(a) }),
	}, {
		Name: "with-default-args", Args: "[--] ARGS...", Short: "other default arguments of the entrypoint", rest: true,
		Example: "from debian:12 | with-default-args -- sh -l | export oci:out",
		max:     -1, label: -1,
		run: configWord(func(c inlay.Container, a []string) inlay.Container { return c.WithDefaultArgs(a) }),
	}, {
		Name: "with-label", Args: "NAME=VALUE | NAME VALUE", Short: "a label of the image",
		Example: "from debian:12 | with-label org.opencontainers.image.title=tool | export oci:out",
		min:     1, max: 2, label: 1, run: runWithLabel,
	}, {
		Name: "without-label", Args: "NAME", Short: "take a label away",
		Example: "from debian:12 | without-label maintainer | export oci:out",
		min:     1, max: 1, label: 1,
		run: configWord(func(c inlay.Container, a []string) inlay.Container { return c.WithoutLabel(a[0]) }),
	}, {
		Name: "with-exposed-port", Args: "PORT[/PROTOCOL]", Short: "a port that the image says it listens on",
		Example: "from debian:12 | with-exposed-port 53/udp | export oci:out",
		min:     1, max: 1, label: 1,
		run: configWord(func(c inlay.Container, a []string) inlay.Container { return c.WithExposedPort(a[0]) }),
	}}
	for i := range words {
		words[i].Group, words[i].on = Config, isSystem
	}
	return words
}

// configWord is a word whose arguments are text.
func configWord(f func(inlay.Container, []string) inlay.Container) func(context.Context, *call) (value, error) {
	return func(_ context.Context, c *call) (value, error) {
		args, err := c.texts(0)
		if err != nil {
			return nil, err
		}
		s := c.system()
		s.dir = f(s.dir.Container(), args).Root()
		return s, nil
	}
}

// pair reads NAME=VALUE or NAME VALUE.
func (c *call) pair() (name, val string, err error) {
	args, err := c.texts(0)
	if err != nil {
		return "", "", err
	}
	if len(args) == 2 {
		return args[0], args[1], nil
	}
	name, val, ok := strings.Cut(args[0], "=")
	if !ok || name == "" {
		return "", "", c.runner.script.errorAt(c.args[0].at, "%s %s: want NAME=VALUE or NAME VALUE", c.parsed.word.Name, clip(args[0]))
	}
	return name, val, nil
}

func runWithEnv(_ context.Context, c *call) (value, error) {
	name, val, err := c.pair()
	if err != nil {
		return nil, err
	}
	s := c.system()
	if c.has("expand") {
		s.dir = s.dir.Container().WithEnvExpanded(name, val).Root()
	} else {
		s.dir = s.dir.Container().WithEnv(name, val).Root()
	}
	return s, nil
}

func runWithLabel(_ context.Context, c *call) (value, error) {
	name, val, err := c.pair()
	if err != nil {
		return nil, err
	}
	s := c.system()
	s.dir = s.dir.Container().WithLabel(name, val).Root()
	return s, nil
}
