package shim

import (
	"encoding/json"
	"fmt"
)

// OddFile is what [Inspect] leaves.
const OddFile = "odd"

// Odd is what is not copied as it is among what [Inspect] looked at: paths, "" if there
// is nothing of it.
type Odd struct {
	// Node is a socket, a block device, or something else than a file that has
	// several names among them: copies are of another kind, or each of its own inode.
	Node string
	// Linked is a file that has several names among them. They stay one if one copy has all of
	// them.
	Linked string
}

// oddFile is an Odd as it is written down: JSON, with paths as base64.
type oddFile struct {
	Version      int
	Node, Linked []byte
}

func (o Odd) encode() ([]byte, error) {
	return json.Marshal(oddFile{Version, []byte(o.Node), []byte(o.Linked)})
}

// DecodeOdd reads what [Inspect] left.
func DecodeOdd(b []byte) (Odd, error) {
	var f oddFile
	if err := json.Unmarshal(b, &f); err != nil {
		return Odd{}, fmt.Errorf("malformed: %w", err)
	}
	return Odd{string(f.Node), string(f.Linked)}, checkVersion(f.Version)
}

// pathsFile is the paths that [Inspect] looks at.
type pathsFile struct {
	Version int
	Paths   [][]byte
}

// EncodePaths gives the file of paths for [Inspect]; they are rooted and clean.
func EncodePaths(paths []string) ([]byte, error) {
	return json.Marshal(pathsFile{Version, list[[]byte](paths)})
}

func decodePaths(b []byte) ([]string, error) {
	var f pathsFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("malformed: %w", err)
	}
	if err := checkVersion(f.Version); err != nil {
		return nil, err
	}
	paths := list[string](f.Paths)
	for _, p := range paths {
		if err := checkPath(p); err != nil {
			return nil, err
		}
	}
	return paths, nil
}
