//go:build !linux || !cgo

// Command inlay-runc runs processes for Inlay. This one was built without cgo,
// or not for Linux, and can only say so.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "inlay-runc: built without cgo: build it on Linux with CGO_ENABLED=1 go build -tags seccomp")
	os.Exit(2)
}
