package program

import (
	"slices"

	"github.com/inlaybuild/inlay/tree"
)

// may tells whether the user may execute a file or go through a directory, as
// generic_permission of the kernel decides. Access lists are not read: where one
// decides, nothing is known.
func (w *walker) may(e tree.Entry) (bool, error) {
	a := e.Attr()
	if w.uid == 0 {
		return e.Kind() == tree.KindDirectory || a.Mode&0o111 != 0, nil
	}
	if w.uid == a.UID {
		return a.Mode&0o100 != 0, nil
	}
	if _, ok := a.Xattrs.Get("system.posix_acl_access"); ok {
		return false, errUnknown
	}
	if slices.Contains(w.groups, a.GID) {
		return a.Mode&0o010 != 0, nil
	}
	return a.Mode&0o001 != 0, nil
}
