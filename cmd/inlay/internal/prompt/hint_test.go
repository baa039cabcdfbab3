package prompt

import (
	"context"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/pipeline"
)

// hinting is a conversation whose commands do nothing, and what a line says is wrong.
func hinting(t *testing.T) func(line string) string {
	nothing := func(context.Context, *Prompt, []string) error { return nil }
	p := &Prompt{Config: Config{Commands: []Command{
		{Name: "ls", Args: "[-l] [vN|STEP] [PATH]", Run: nothing},
		{Name: "log", Args: "[RUN|STEP]", Run: nothing},
		{Name: "shell", Args: "[vN|STEP] [--keep NAME [--replace]] [-- CMD...]", Run: nothing},
	}}}
	p.values = pipeline.NewSession(pipeline.Environment{}, nil)
	return func(line string) string {
		if err := p.run(t.Context(), line); err != nil {
			return err.Error()
		}
		return ""
	}
}

func TestACommandWithinALineIsToldToStandAlone(t *testing.T) {
	run := hinting(t)
	for line, name := range map[string]string{
		"ls -l /f; exit": "ls", "from debian | ls": "ls", "from debian && ls /": "ls", "ls | ls": "ls", "ls > file": "ls",
		"from debian; quit": "quit", "A=$(undo)": "undo",
	} {
		if got, want := run(line), name+" is a command of the prompt, and stands alone in its line: "; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", line, got)
		}
	}
	if got := run("nope; nope"); !strings.Contains(got, `unknown word "nope"`) {
		t.Errorf("what is no command: %q", got)
	}
}

func TestAValueAloneIsToldHowToGoOnFromIt(t *testing.T) {
	run := hinting(t)
	for line, want := range map[string]string{
		"v1": "v1 is a value: `use v1` goes on from it", " $v12 ": "v12 is a value: `use v12` goes on from it",
		"v1 | digest": "v1 is a value: `from $v1` begins with it",
	} {
		if got := run(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestAFlagThatACommandDoesNotHaveIsToldWithItsUsage(t *testing.T) {
	run := hinting(t)
	for line, want := range map[string]string{
		"ls -la":                  "ls has no flag -la; usage: ls [-l] [vN|STEP] [PATH]",
		"ls v1 -a":                "ls has no flag -a; usage: ls [-l] [vN|STEP] [PATH]",
		"ls -l /f":                "",
		"log -f":                  "", // which says itself what has flags
		"shell v1 --keep x":       "",
		"shell -- sh -c x":        "",
		"shell sh -c x":           "",
		"shell --keep x --relace": "shell has no flag --relace; usage: shell [vN|STEP] [--keep NAME [--replace]] [-- CMD...]",
		"shell last@2 --kept x":   "shell has no flag --kept; usage: shell [vN|STEP] [--keep NAME [--replace]] [-- CMD...]",
		"shell v1 --kept x -":     "shell has no flag --kept; usage: shell [vN|STEP] [--keep NAME [--replace]] [-- CMD...]",
	} {
		if got := run(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
