//go:build linux

package shim

import (
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// told is what is known of a directory whose attributes are set at the end, and of
// those below it.
type told struct {
	attr    *tree.Attr // what the list says; nil: nothing yet
	written bool       // a name was made or taken away in it
	below   map[string]*told
}

// at gives what is known of the directory at a path; a new one if nothing is.
func (t *told) at(p string) *told {
	for name := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
		if name == "" {
			break
		}
		next := t.below[name]
		if next == nil {
			if t.below == nil {
				t.below = map[string]*told{}
			}
			next = &told{}
			t.below[name] = next
		}
		t = next
	}
	return t
}

// take forgets what is known of a path and of all below it, and gives it.
func (t *told) take(p string) *told {
	dir, name := splitPath(p)
	for part := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		if part != "" {
			if t = t.below[part]; t == nil {
				return nil
			}
		}
	}
	was := t.below[name]
	delete(t.below, name)
	return was
}

// put says what is known of a path and of all below it.
func (t *told) put(p string, was *told) {
	if was == nil {
		return
	}
	dir, name := splitPath(p)
	in := t.at(dir)
	if in.below == nil {
		in.below = map[string]*told{}
	}
	in.below[name] = was
}

// splitPath cuts the last name off a path that is not the root.
func splitPath(p string) (dir, name string) {
	i := strings.LastIndexByte(p, '/')
	return p[:max(i, 1)], p[i+1:]
}
