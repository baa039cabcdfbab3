//go:build linux && cgo

package main

import (
	"bytes"
	"strconv"
)

// field gives the number that follows name in lines of "name number".
func field(lines []byte, name string) int {
	for line := range bytes.Lines(lines) {
		if words := bytes.Fields(line); len(words) == 2 && string(words[0]) == name {
			n, err := strconv.Atoi(string(words[1]))
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}
