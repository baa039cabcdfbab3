//go:build linux

// Command inlay-shim is what Inlay runs inside containers of others: see the package
// internal/shim. Inlay starts it; it is of no use by hand.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/inlaybuild/inlay/internal/shim"
)

const usage = `inlay-shim: a part of inlay, which starts it in containers of a daemon:
	inlay-shim exec SPEC OUT
	inlay-shim enter SPEC [ROWS COLUMNS]
	inlay-shim look ROOT
	inlay-shim give ROOT
	inlay-shim survey ROOT OUT
	inlay-shim inspect ROOT PATHS OUT
	inlay-shim apply LIST ROOT SOURCE...`

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 3 && args[0] == "exec":
		err = shim.Exec(args[1], args[2])
	case len(args) == 2 && args[0] == "enter":
		err = shim.Enter(args[1], nil)
	case len(args) == 4 && args[0] == "enter":
		err = onTerminal(args[1], args[2], args[3])
	case len(args) == 2 && args[0] == "look":
		err = shim.Look(context.Background(), args[1], os.Stdout)
	case len(args) == 2 && args[0] == "give":
		err = shim.Give(args[1], os.Stdin, os.Stdout)
	case len(args) == 3 && args[0] == "survey":
		err = shim.Survey(context.Background(), args[1], args[2])
	case len(args) == 4 && args[0] == "inspect":
		err = shim.Inspect(args[1], args[2], args[3])
	case len(args) >= 3 && args[0] == "apply":
		err = shim.Apply(context.Background(), args[1], args[2], args[3:])
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "inlay-shim %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func onTerminal(spec, rows, columns string) error {
	size, err := shim.ParseSize(rows, columns)
	if err != nil {
		return err
	}
	return shim.Enter(spec, &size)
}
