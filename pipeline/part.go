package pipeline

import (
	"context"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/graph"
)

func partWords() []Word {
	words := []Word{{
		Name: "directory", Args: "PATH", Short: "go on with the directory at a path, as a file system of its own",
		Example: "from debian:12 | directory /etc | entries",
		min:     1, max: 1, label: 1, run: pathWord(inlay.Directory.Directory),
	}, {
		Name: "file", Args: "PATH", Short: "go on with the file at a path",
		Example: "from debian:12 | file /etc/os-release | contents",
		min:     1, max: 1, label: 1, run: runFile,
	}, {
		Name: "diff", Args: "DIR", Short: "go on with the change set that makes DIR of it",
		Example: "from a | diff b | changes",
		min:     1, max: 1, label: 1, run: runDiff,
	}, {
		Name: "with-changes", Args: "CHANGES...", Short: "change it by change sets",
		Example: "from c | with-changes $(from a | diff b) | export oci:out",
		min:     1, max: -1, label: -1, run: runWithChanges,
	}}
	for i := range words {
		words[i].Group, words[i].on = Parts, isSystem
	}
	return words
}

func runFile(_ context.Context, c *call) (value, error) {
	at := c.path(0)
	return file{c.system().dir.File(at)}, nil
}

func runDiff(_ context.Context, c *call) (value, error) {
	to, _ := c.directory(0, inlay.HostOptions{})
	return changes{graph.New(graph.Diff{}, "", c.system().dir.Node(), to.Node())}, nil
}

func runWithChanges(_ context.Context, c *call) (value, error) {
	s := c.system()
	inputs := []*graph.Node{s.dir.Node()}
	for _, a := range c.args {
		ch, ok := a.value.(changes)
		if !ok {
			return nil, c.runner.script.errorAt(a.at, "with-changes wants change sets: $(from A | diff B)")
		}
		inputs = append(inputs, ch.node)
	}
	s.dir = inlay.DirectoryOf(graph.New(graph.Merge{}, "", inputs...))
	return s, nil
}
