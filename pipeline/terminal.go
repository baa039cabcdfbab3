package pipeline

import (
	"context"

	"github.com/inlaybuild/inlay"
)

func terminalWord() Word {
	return Word{
		Name: "terminal", Group: Execs, Args: "[--] [CMD...]", Short: "stop here and open the terminal; go on when its process ends",
		Long: "Without CMD the user's shell runs, or /bin/sh. What is changed there is thrown away,\n" +
			"unless --keep is given; for a while a line says how to see it. A pipeline stops here each time that it is run, however the\n" +
			"process ends it goes on, and what came before and after is cached as always.",
		Flags: []Flag{
			{Name: "keep", Help: "go on with what was changed"},
			{Name: "with-shell", Help: "show a static busybox of this machine, for a file system that has no shell"},
			{Name: "no-network", Help: "the process reaches only itself"},
			{Name: "env", Arg: "NAME=VALUE", Many: true, Help: "a variable of this process alone"},
		},
		Example: "from debian:12 | with-exec -- sh -c 'echo a > /etc/a' | terminal --keep | export oci:out",
		max:     -1, rest: true, label: -1, on: isSystem, run: runTerminal,
	}
}

func runTerminal(_ context.Context, c *call) (value, error) {
	o := inlay.TerminalOptions{
		Args:      c.texts(0),
		Keep:      c.has("keep"),
		LendShell: c.has("with-shell"),
		NoNetwork: c.has("no-network"),
		Env:       c.env(),
	}
	return c.change(func(inlay.Directory) inlay.Directory { return c.system().container().WithTerminal(o).Root() })
}
