package graph

import (
	"errors"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/tree"
)

// SetAttr changes attributes of what paths of its input lead to, or patterns
// find, and of all that is below. No content is touched.
type SetAttr struct {
	Paths   []string
	Owner   string `json:",omitempty"` // "user[:group]", names or numbers of the input
	Mode    string `json:",omitempty"` // octal or symbolic
	Time    *int64 `json:",omitempty"` // seconds since the epoch
	Shallow bool   `json:",omitempty"` // not what is below
}

// Name gives "with-attributes".
func (SetAttr) Name() string { return "with-attributes" }

// Check looks at paths and attributes.
func (s SetAttr) Check() error {
	if len(s.Paths) == 0 {
		return errors.New("the path is missing")
	}
	for _, p := range s.Paths {
		if _, err := tree.CleanPath(p); err != nil {
			return err
		}
	}
	if s.Owner == "" && s.Mode == "" && s.Time == nil {
		return errors.New("nothing is to be changed: give an owner, a mode or a time")
	}
	if s.Mode == "" {
		return nil
	}
	_, err := compose.ParseMode(s.Mode)
	return err
}

func (SetAttr) op() {}
