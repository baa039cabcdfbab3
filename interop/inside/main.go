// Command inside writes and lists trees where it runs: in containers of BuildKit,
// whose own ways of taking files in and giving them out lose times, extended
// attributes and the attributes of roots. The tests of interop build and use it.
//
//	inside write FILE    make the listings that FILE has, a JSON array of their
//	                     text forms, in /t/0, /t/1 and so on
//	inside read DIR...   print the listings of directories, as such an array
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/inlaybuild/inlay/internal/treetest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "inside:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "write":
		return write(args[1])
	case len(args) > 0 && args[0] == "read":
		return read(args[1:])
	}
	return errors.New("usage: inside write FILE, or inside read DIRECTORIES")
}

func write(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var texts []string
	if err := json.Unmarshal(b, &texts); err != nil {
		return err
	}
	for n, text := range texts {
		l, err := treetest.Parse(text)
		if err == nil {
			err = treetest.Write(l, fmt.Sprintf("/t/%d", n))
		}
		if err != nil {
			return fmt.Errorf("tree %d: %w", n, err)
		}
	}
	return nil
}

func read(dirs []string) error {
	texts := []string{}
	for _, d := range dirs {
		l, err := treetest.Read(d)
		if err != nil {
			return err
		}
		texts = append(texts, l.String())
	}
	return json.NewEncoder(os.Stdout).Encode(texts)
}
