//go:build linux

package program

import (
	"bytes"
	"errors"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// Whatever a file holds, it is read without a panic and within bounds, and what is
// said of it has words.
func FuzzFile(f *testing.F) {
	for _, s := range []string{"", "#!", "#!/bin/sh\n", "#!/bin/sh -e\r\n", "#! \x00\n", "\x7fELF", "MZ", "\xef\xbb\xbf#!/bin/sh", "\x1f\x8b\x08"} {
		f.Add([]byte(s))
	}
	for _, narrow := range []bool{false, true} {
		f.Add(smallELF(62, narrow, "/p"))
		f.Add(smallELF(183, narrow, "/gone"))
		f.Add(smallELF(3, narrow, "/p"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file := tree.File{Attributes: tree.Attr{Mode: 0o755}, Size: int64(len(b))}
		contents := bodies{}
		if len(b) > 0 {
			file.Content = digest.Of(b)
			contents[file.Content] = b
		}
		d := tree.NewDraft(tree.Empty())
		d.Put("p", file)
		root, err := d.Tree(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, arch := range []string{"amd64", "arm64", "riscv64", "ppc64le", "s390x", "loong64", "wasm"} {
			c, err := newCase(t.Context(), View{Root: root, Contents: contents}, Process{Name: "/p", Arch: arch})
			if err != nil {
				t.Fatal(err)
			}
			w, err := c.predict()
			if err != nil && !errors.Is(err, errUnknown) {
				t.Fatal(err)
			}
			if w != nil && (w.Text == "" || w.Err == nil || len(w.Text) > 3000 || bytes.ContainsAny([]byte(w.Text), "\x00\n\r\x1b")) {
				t.Errorf("said %+v", w)
			}
		}
		if !isScript(b) {
			return
		}
		if l, err := parseScript(b); err == nil && len(l.interpreter) > headSize {
			t.Errorf("interpreter %q", l.interpreter)
		}
	})
}

// smallELF is a program header and the name of an ELF interpreter.
func smallELF(machine uint16, narrow bool, loader string) []byte {
	b := make([]byte, 200)
	copy(b, "\x7fELF")
	b[4], b[5], b[16], b[18], b[19] = 2, 1, 2, byte(machine), byte(machine>>8)
	size := byte(len(loader) + 1)
	if narrow {
		b[4], b[28], b[42], b[44] = 1, 64, 32, 1
		b[64], b[68], b[80] = 3, 160, size
	} else {
		b[32], b[54], b[56] = 64, 56, 1
		b[64], b[72], b[96] = 3, 160, size
	}
	copy(b[160:], loader+"\x00")
	return b
}
