package layer

import (
	"archive/tar"
	"io"
	"slices"
	"strings"
)

// directory gives the node of a directory that is a parent of the entry.
func (rd *reader) directory(name string, parents []string) (*node, error) {
	n := rd.root
	for i := 0; ; i++ {
		switch n.state {
		case absent:
			u := &rd.usage
			if err := u.add(name, limitEntries, &u.entries, 1, u.limits.MaxEntries); err != nil {
				return nil, err
			}
			n.putDirectory(nil)
		case other:
			return nil, malformed("it lies below %s, which this layer makes something else than a directory",
				quote(strings.Join(parents[:i], "/")))
		}
		if i == len(parents) {
			return n, nil
		}
		n = n.child(parents[i])
	}
}

func (rd *reader) whiteout(h *tar.Header, names []string, role role) error {
	if h.Size != 0 {
		return malformed("it is a whiteout, but has %d bytes", h.Size)
	}
	rd.stats.Whiteouts++
	if role == opaque {
		n, err := rd.directory(h.Name, names)
		if err == nil {
			n.opaque = true
		}
		return err
	}
	n, err := rd.directory(h.Name, names[:len(names)-1])
	if err == nil {
		n.child(names[len(names)-1]).removed = true
	}
	return err
}

func (rd *reader) place(h *tar.Header, names []string) error {
	if len(names) == 0 {
		if h.Typeflag != tar.TypeDir {
			return malformed("the root can only be a directory")
		}
		a, err := attrOf(h)
		if err == nil {
			rd.root.putDirectory(&a)
		}
		return err
	}
	dir, err := rd.directory(h.Name, names[:len(names)-1])
	if err != nil {
		return err
	}
	var i *inode
	switch h.Typeflag {
	case tar.TypeDir:
		a, err := attrOf(h)
		if err == nil {
			dir.child(names[len(names)-1]).putDirectory(&a)
		}
		return err
	case tar.TypeLink:
		i, err = rd.hardlink(h, names)
	default:
		i, err = rd.inode(h)
	}
	if err == nil {
		dir.child(names[len(names)-1]).put(i)
	}
	return err
}

// hardlink gives the inode that a hardlink leads to.
func (rd *reader) hardlink(h *tar.Header, names []string) (*inode, error) {
	to, err := splitName(h.Linkname)
	if err != nil {
		return nil, malformed("it is a hardlink to %s: %w", quote(h.Linkname), err)
	}
	to, role, err := classify(to, rd.o.plain)
	switch {
	case err != nil:
		return nil, malformed("it is a hardlink to %s: %w", quote(h.Linkname), err)
	case role == plink:
		if i := rd.plinks[to[len(to)-1]]; i != nil {
			i.linked()
			return i, nil
		}
		return nil, malformed("it is a hardlink to %s, which is not there", quote(h.Linkname))
	case role != ordinary:
		return nil, malformed("it is a hardlink to %s, which is a whiteout", quote(h.Linkname))
	}
	if n, _ := rd.root.find(to); n != nil && n.state == directory {
		return nil, malformed("it is a hardlink to %s, which is a directory", quote(h.Linkname))
	} else if n != nil && n.state == other {
		n.inode.linked()
		return n.inode, nil
	}
	if slices.Equal(names, to) {
		return nil, malformed("it is a hardlink to itself")
	}
	rd.forward = true
	for k := range to {
		to[k] = strings.Clone(to[k])
	}
	return &inode{links: &links{to: to, header: strings.Clone(h.Name)}}, nil
}

// plink keeps a file that only hardlinks lead to.
func (rd *reader) plink(h *tar.Header, name string) error {
	rd.stats.Ignored++
	if h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeLink {
		return rd.skip(h)
	}
	i, err := rd.inode(h)
	if err != nil {
		return err
	}
	if rd.plinks == nil {
		rd.plinks = map[string]*inode{}
	}
	rd.plinks[strings.Clone(name)] = i
	return nil
}

// skip reads a body for nothing, within the limits.
func (rd *reader) skip(h *tar.Header) error {
	_, err := io.Copy(io.Discard, rd.body(h))
	return err
}
