package graph_test

import (
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/graph"
)

// JSON writes all of these alike: two execs would be one.
func TestTextThatNoRuntimePassesIsRefused(t *testing.T) {
	odd := "a\xffb"
	for name, op := range map[string]graph.Op{
		"argument": graph.Exec{Args: []string{"echo", odd}},
		"variable": graph.Exec{Args: []string{"env"}, Env: []string{"A=" + odd}},
		"target":   graph.Exec{Args: []string{"ls"}, Mounts: []graph.Mount{{Kind: graph.MountTemp, Target: "/" + odd}}},
		"env":      graph.Configure{Env: []graph.EnvChange{{Name: "A", Value: odd}}},
		"workdir":  graph.Configure{Workdir: &odd},
		"user":     graph.Configure{User: &odd},
	} {
		if err := op.Check(); err == nil || !strings.Contains(err.Error(), "not UTF-8") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
