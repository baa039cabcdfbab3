package graph

import (
	"errors"
	"fmt"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/tree"
)

// Rename gives what one path of its input leads to another path. A symlink that
// a path ends in is not followed.
type Rename struct {
	From, To string
	Existing compose.Existing `json:",omitempty"` // "" replaces what stands at To, "forbid" refuses
}

// Name gives "with-renamed".
func (Rename) Name() string { return "with-renamed" }

// Check looks at the paths.
func (r Rename) Check() error { return checkEdit(r.From, r.To, r.Existing) }

func (Rename) op() {}

// checkEdit looks at the paths of an op that gives something another path.
func checkEdit(from, to string, e compose.Existing) error {
	for _, p := range []string{from, to} {
		if p == "" {
			return errors.New("a path is missing")
		}
		if _, err := tree.CleanPath(p); err != nil {
			return err
		}
	}
	if e != compose.ExistingMerge && e != compose.ExistingForbid {
		return fmt.Errorf("existing %q: it is forbid, or not given at all", e)
	}
	return nil
}
