package compose_test

import (
	"fmt"
	"path"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// carryOut does what the placements of a copy say, to the letter: no symlink is
// followed, and nothing is merged that they do not tell.
func (c *diskCopier) carryOut(placements []compose.Placement) error {
	c.o.Overlay = true // which never follows
	if err := c.remember("/"); err != nil {
		return err
	}
	for _, p := range placements {
		if err := c.carryOutOne(p); err != nil {
			return fmt.Errorf("%s %s: %w", p.Action, p.To, err)
		}
	}
	return c.restore("/")
}

func (c *diskCopier) carryOutOne(p compose.Placement) error {
	at := p.To
	if p.Action == compose.Graft || p.Action == compose.MakeDirectory {
		at = path.Dir(p.To)
	}
	dir, err := c.open(at)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	switch p.Action {
	case compose.MakeDirectory:
		made, err := c.newDir(dir, path.Base(p.To))
		if err != nil {
			return err
		}
		defer unix.Close(made)
		return c.setAttr(made, *p.Attr)
	case compose.Clear:
		return c.removeAll(dir)
	case compose.MergeInto:
		if p.Attr == nil {
			return nil
		}
		return c.setAttr(dir, *p.Attr)
	case compose.Fill:
		return c.fill(p.From, dir)
	}
	if p.Entry.Kind() == tree.KindDirectory {
		if err := c.remove(dir, path.Base(p.To)); err != nil {
			return err
		}
	}
	return c.put(*c.src.Find(p.From), dir, path.Base(p.To))
}

// fill copies what a directory of the source holds, but for names that are there.
func (c *diskCopier) fill(from string, dir int) error {
	for _, i := range c.src {
		if i.Path == "/" || path.Dir(i.Path) != from {
			continue
		}
		var st unix.Stat_t
		if unix.Fstatat(dir, path.Base(i.Path), &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			continue
		}
		if err := c.put(i, dir, path.Base(i.Path)); err != nil {
			return err
		}
	}
	return nil
}
