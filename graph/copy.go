package graph

import (
	"errors"
	"fmt"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/tree"
)

// Copy puts a file, or what a directory holds, of the second input into the
// first.
type Copy struct {
	To      string
	From    []string // paths or patterns in the second input
	Options CopyOptions
}

// CopyOptions is [compose.Options] as users give them. The zero CopyOptions
// keeps attributes and follows the symlinks of the destination.
type CopyOptions struct {
	Owner      string           `json:",omitempty"` // "user[:group]", names or numbers of the destination
	Mode       string           `json:",omitempty"` // octal or symbolic
	Time       *int64           `json:",omitempty"` // seconds since the epoch
	Include    []string         `json:",omitempty"`
	Exclude    []string         `json:",omitempty"`
	Gitignore  bool             `json:",omitempty"`
	Overlay    bool             `json:",omitempty"`
	NoOverlay  bool             `json:",omitempty"` // follow symlinks, though the default that was set is to overlay
	Existing   compose.Existing `json:",omitempty"`
	KeepLink   bool             `json:",omitempty"`
	AllowEmpty bool             `json:",omitempty"`
	File       bool             `json:",omitempty"` // the source must not be a directory
	Contents   bool             `json:",omitempty"` // the source must be a directory, and what it holds is copied
}

// Name gives "copy".
func (Copy) Name() string { return "copy" }

// Check looks at paths and options.
func (c Copy) Check() error {
	if c.To == "" {
		return errors.New("the destination is missing")
	}
	if len(c.From) == 0 {
		return errors.New("the source is missing")
	}
	if _, err := tree.CleanPath(c.To); err != nil {
		return err
	}
	return c.Options.check()
}

func (o CopyOptions) check() error {
	if o.Overlay && o.NoOverlay {
		return errors.New("overlay and no-overlay exclude each other")
	}
	if o.File && (len(o.Include)+len(o.Exclude) > 0 || o.Gitignore) {
		return errors.New("include, exclude and gitignore are for directories, not for files")
	}
	if o.Mode != "" {
		if _, err := compose.ParseMode(o.Mode); err != nil {
			return err
		}
	}
	switch o.Existing {
	case compose.ExistingMerge, compose.ExistingReplace, compose.ExistingForbid:
		return nil
	}
	return fmt.Errorf("existing %q: it is replace or forbid, or not given at all", o.Existing)
}

func (Copy) op() {}
