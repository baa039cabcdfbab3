package graph

import "github.com/inlaybuild/inlay/compose"

// Hardlink makes another name, at a path, of what Target leads to. A symlink
// that a path ends in is not followed.
type Hardlink struct {
	Target, Path string
	Existing     compose.Existing `json:",omitempty"` // "" replaces what stands at Path, "forbid" refuses
}

// Name gives "with-hardlink".
func (Hardlink) Name() string { return "with-hardlink" }

// Check looks at the paths.
func (h Hardlink) Check() error { return checkEdit(h.Target, h.Path, h.Existing) }

func (Hardlink) op() {}
