package treetest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/inlaybuild/inlay/tree"
)

// Tar gives the layer as an uncompressed tar, by nothing but archive/tar. The
// names are spelled in the ways that archives have: "a", "./a", "/a".
func (l Layer) Tar() ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for n, i := range l {
		if err := w.WriteHeader(i.header([]string{"", "./", "", "/"}[n%4])); err != nil {
			return nil, fmt.Errorf("%s: %w", i.Path, err)
		}
		if i.Kind == tree.KindFile && i.Same == "" {
			if _, err := w.Write([]byte(i.Text)); err != nil {
				return nil, fmt.Errorf("%s: %w", i.Path, err)
			}
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// header gives the item's entry in a tar; how starts its name.
func (i Item) header(how string) *tar.Header {
	a := i.Attr
	h := &tar.Header{
		Name: how + strings.TrimPrefix(i.Path, "/"), Mode: int64(a.Mode), Uid: int(a.UID), Gid: int(a.GID),
		ModTime: time.Unix(a.ModTime.Sec, int64(a.ModTime.Nsec)), Format: tar.FormatPAX, PAXRecords: map[string]string{},
	}
	switch {
	case i.Same != "":
		h.Typeflag, h.Linkname = tar.TypeLink, how+strings.TrimPrefix(i.Same, "/")
	case i.Kind == tree.KindDirectory:
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
		if i.Path == "/" {
			h.Name = "./"
		}
	case i.Kind == tree.KindSymlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, i.Target
	case i.Kind == tree.KindCharDevice:
		h.Typeflag, h.Devmajor, h.Devminor = tar.TypeChar, int64(i.Major), int64(i.Minor)
	case i.Kind == tree.KindBlockDevice:
		h.Typeflag, h.Devmajor, h.Devminor = tar.TypeBlock, int64(i.Major), int64(i.Minor)
	case i.Kind == tree.KindFifo:
		h.Typeflag = tar.TypeFifo
	default:
		h.Typeflag, h.Size = tar.TypeReg, i.Size
	}
	for name, value := range a.Xattrs.All() {
		h.PAXRecords["SCHILY.xattr."+name] = value
	}
	if !utf8.ValidString(h.Name) || !utf8.ValidString(h.Linkname) {
		h.PAXRecords["hdrcharset"] = "BINARY"
	}
	return h
}
