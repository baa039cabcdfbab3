//go:build !linux

// Command inlay-shim is what Inlay runs inside containers of others. This one was not
// built for Linux, and can only say so.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "inlay-shim: built for another system than containers have: build it with GOOS=linux")
	os.Exit(2)
}
