package show

import (
	"fmt"
	"time"

	"github.com/inlaybuild/inlay/tree"
)

// Entry is an entry in JSON.
type Entry struct {
	Path    Bytes            `json:"path"`
	Kind    string           `json:"kind"`
	Mode    string           `json:"mode"`
	UID     uint32           `json:"uid"`
	GID     uint32           `json:"gid"`
	ModTime time.Time        `json:"mtime"`
	Size    *int64           `json:"size,omitempty"`
	Content string           `json:"content,omitempty"`
	Digest  string           `json:"digest,omitempty"` // of a directory
	Entries *int64           `json:"entries,omitempty"`
	Target  Bytes            `json:"target,omitempty"`
	Device  string           `json:"device,omitempty"`
	Xattrs  map[string]Bytes `json:"xattrs,omitempty"`
}

// EntryOf gives the JSON form of an entry. That of a directory has its digest,
// which is computed, only if full is set.
func EntryOf(path string, e tree.Entry, full bool) Entry {
	a := e.Attr()
	out := Entry{
		Path: Bytes(path), Kind: e.Kind().String(), Mode: fmt.Sprintf("%04o", a.Mode),
		UID: a.UID, GID: a.GID, ModTime: a.ModTime.Std(),
	}
	for k, v := range a.Xattrs.All() {
		if out.Xattrs == nil {
			out.Xattrs = map[string]Bytes{}
		}
		out.Xattrs[k] = Bytes(v)
	}
	switch e := e.(type) {
	case tree.File:
		out.Size = &e.Size
		if e.Size > 0 {
			out.Content = e.Content.String()
		}
	case tree.Symlink:
		out.Target = Bytes(e.Target)
	case tree.Device:
		out.Device = fmt.Sprintf("%d:%d", e.Major, e.Minor)
	case tree.Tree:
		n, size := e.Count(), e.Bytes()
		out.Entries, out.Size = &n, &size
		if full {
			out.Digest = e.Digest().String()
		}
	}
	return out
}

// Mode writes kind and permissions as ls does: "drwxr-xr-x".
func Mode(e tree.Entry) string {
	letter := map[tree.Kind]byte{
		tree.KindDirectory: 'd', tree.KindFile: '-', tree.KindSymlink: 'l', tree.KindCharDevice: 'c',
		tree.KindBlockDevice: 'b', tree.KindFifo: 'p', tree.KindSocket: 's',
	}[e.Kind()]
	m := e.Attr().Mode
	b := []byte{letter}
	for i := 8; i >= 0; i-- {
		c := byte('-')
		if m&(1<<i) != 0 {
			c = "xwr"[i%3]
		}
		b = append(b, c)
	}
	special := func(bit tree.Mode, at int, with, without byte) {
		if m&bit == 0 {
			return
		}
		if b[at] == 'x' {
			b[at] = with
		} else {
			b[at] = without
		}
	}
	special(tree.SetUID, 3, 's', 'S')
	special(tree.SetGID, 6, 's', 'S')
	special(tree.Sticky, 9, 't', 'T')
	return string(b)
}

// Letter gives the letter of a kind, as find's -type has it.
func Letter(k tree.Kind) byte {
	return "?dflcbps"[k]
}

// Long writes an entry as `ls -l` does, without its name.
func Long(e tree.Entry) string {
	a := e.Attr()
	size := ""
	switch e := e.(type) {
	case tree.File:
		size = fmt.Sprint(e.Size)
	case tree.Symlink:
		size = fmt.Sprint(len(e.Target))
	case tree.Device:
		size = fmt.Sprintf("%d, %d", e.Major, e.Minor)
	case tree.Tree:
		size = fmt.Sprint(e.Len())
		if _, view := e.StandIn(); view { // it was not looked into
			size = "-"
		}
	default:
		size = "0"
	}
	return fmt.Sprintf("%s %5d %5d %10s %s", Mode(e), a.UID, a.GID, size, a.ModTime.Std().Format("2006-01-02 15:04:05"))
}
