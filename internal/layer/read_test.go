package layer_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/tree"
)

// e is one entry of a tar in short: a name, and the rest by its form.
//
//	"a/"         a directory        "a -> b"   a symlink
//	"a"          an empty file      "a = b"    a hardlink
//	"a: text"    a file
func pack(t testing.TB, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e, Mode: 0o644, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		content := ""
		if name, to, ok := strings.Cut(e, " -> "); ok {
			h.Name, h.Linkname, h.Typeflag = name, to, tar.TypeSymlink
		} else if name, to, ok := strings.Cut(e, " = "); ok {
			h.Name, h.Linkname, h.Typeflag = name, to, tar.TypeLink
		} else if name, text, ok := strings.Cut(e, ": "); ok {
			h.Name, content = name, text
		} else if strings.HasSuffix(e, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o750
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// short gives a change set in the same short form, a directory as "d/" with its
// mode or "keeps", and "!" for an opaque one; removed names as "-a".
func short(m *memory, cs tree.ChangeSet) string {
	var out []string
	var dir func(path string, d *tree.DirChange)
	dir = func(path string, d *tree.DirChange) {
		s := path + "/"
		if d.Opaque {
			s += "!"
		}
		switch {
		case d.Attr == nil:
			s += "keeps"
		case *d.Attr == tree.Empty().Attr():
			s += "new"
		}
		out = append(out, s)
		for name, c := range d.All() {
			at := path + "/" + name
			switch c := c.(type) {
			case *tree.DirChange:
				dir(at, c)
			case tree.Remove:
				out = append(out, "-"+at)
			case tree.Hardlink:
				out = append(out, at+" = below "+c.To)
			case tree.Put:
				switch e := c.Entry.(type) {
				case tree.File:
					out = append(out, strings.TrimSuffix(at+": "+string(m.blobs[e.Content]), ": "))
				case tree.Symlink:
					out = append(out, at+" -> "+e.Target)
				default:
					out = append(out, at+" "+e.Kind().String())
				}
			}
		}
	}
	if cs.Root != nil {
		dir("", cs.Root)
	}
	for _, g := range cs.Links {
		out = append(out, "links "+strings.Join(g, " "))
	}
	return strings.Join(out, "\n")
}

func TestLayersMeanWhatTheSpecificationSays(t *testing.T) {
	for _, c := range []struct {
		law  string
		in   []string
		want []string
	}{
		{"an empty layer changes nothing", nil, nil},
		{"parents are implied", []string{"a/b/c: x"}, []string{"/keeps", "/a/keeps", "/a/b/keeps", "/a/b/c: x"}},
		{"the root may have an entry", []string{"./"}, []string{"/"}},
		{"names are cleaned", []string{"/a", "./b", ".//c/./d//"}, []string{"/keeps", "/a", "/b", "/c/keeps", "/c/d/"}},
		{"a whiteout removes", []string{"a/.wh.b"}, []string{"/keeps", "/a/keeps", "-/a/b"}},
		{"a whiteout leaves what the layer adds", []string{"a: x", ".wh.a"}, []string{"/keeps", "/a: x"}},
		{"a whiteout leaves what the layer adds later", []string{".wh.a", "a: x"}, []string{"/keeps", "/a: x"}},
		{"a whiteout of a directory of the layer hides the one below", []string{"a/", "a/f", ".wh.a"}, []string{"/keeps", "/a/!", "/a/f"}},
		{"a whiteout of an implied directory makes it new", []string{".wh.a", "a/f"}, []string{"/keeps", "/a/!new", "/a/f"}},
		{"opaque markers come in any order", []string{"a/f", "a/.wh..wh..opq", "a/g", "a/"}, []string{"/keeps", "/a/!", "/a/f", "/a/g"}},
		{"an opaque marker at the root", []string{"f", ".wh..wh..opq"}, []string{"/!keeps", "/f"}},
		{"AUFS's leftovers mean nothing", []string{".wh..wh.aufs", ".wh..wh.plnk/", ".wh..wh.orph/x", "a"}, []string{"/keeps", "/a"}},
		{"AUFS's links are links", []string{".wh..wh.plnk/1.2: x", "a = .wh..wh.plnk/1.2", "b = /.wh..wh.plnk/1.2"}, []string{"/keeps", "/a: x", "/b: x", "links /a /b"}},
		{"a later file wins", []string{"a: 1", "a: 2"}, []string{"/keeps", "/a: 2"}},
		{"a later file replaces a directory", []string{"a/b: 1", "a: 2"}, []string{"/keeps", "/a: 2"}},
		{"a later directory replaces a file", []string{"a: 1", "a/"}, []string{"/keeps", "/a/"}},
		{"a later directory replaces a symlink", []string{"a -> b", "a/", "a/f"}, []string{"/keeps", "/a/", "/a/f"}},
		{"a directory is laid over a directory", []string{"a/b", "a/", "a/c"}, []string{"/keeps", "/a/", "/a/b", "/a/c"}},
		{"a hardlink to an earlier name", []string{"a: x", "d/b = a"}, []string{"/keeps", "/a: x", "/d/keeps", "/d/b: x", "links /a /d/b"}},
		{"a hardlink to a later name", []string{"b = ./a", "a: x"}, []string{"/keeps", "/a: x", "/b: x", "links /a /b"}},
		{"a chain of hardlinks", []string{"c = b", "b = a", "a: x", "d = c"}, []string{"/keeps", "/a: x", "/b: x", "/c: x", "/d: x", "links /a /b /c /d"}},
		{"a hardlink keeps what was replaced", []string{"a: 1", "b = a", "a: 2", "c = b"}, []string{"/keeps", "/a: 2", "/b: 1", "/c: 1", "links /b /c"}},
		{"a replaced hardlink leaves its group", []string{"a: 1", "b = a", "c = a", "b: 2"}, []string{"/keeps", "/a: 1", "/b: 2", "/c: 1", "links /a /c"}},
		{"a hardlink to a name below", []string{"a = /x/y", "b = a"}, []string{"/keeps", "/a = below /x/y", "/b = below /x/y"}},
		{"a hardlink to a name below, in a directory of the layer", []string{"d/f", "a = d/y"}, []string{"/keeps", "/a = below /d/y", "/d/keeps", "/d/f"}},
		{"a hardlink to a symlink", []string{"s -> t", "l = s"}, []string{"/keeps", "/l -> t", "/s -> t", "links /l /s"}},
		{"a hardlink to itself changes nothing", []string{"a: x", "a = a"}, []string{"/keeps", "/a: x"}},
		{"names that are nearly whiteouts", []string{".wh", "wh.a", ".wha"}, []string{"/keeps", "/.wh", "/.wha", "/wh.a"}},
	} {
		t.Run(c.law, func(t *testing.T) {
			m := newMemory()
			got, _, err := layer.Read(t.Context(), bytes.NewReader(pack(t, c.in...)), layer.ReadOptions{Blobs: m})
			if err != nil {
				t.Fatal(err)
			}
			if got := short(m, got); got != strings.Join(c.want, "\n") {
				t.Fatalf("got\n%s\nwant\n%s", got, strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestMalformedLayersAreRefusedByName(t *testing.T) {
	header := func(h tar.Header) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		size := h.Size
		if h.Typeflag != tar.TypeReg {
			h.Size = 0
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		w.Write(make([]byte, h.Size))
		w.Close()
		if h.Size != size {
			setSize(b.Bytes(), size)
		}
		return b.Bytes()
	}
	long := strings.Repeat("n", 256)
	for law, c := range map[string]struct {
		in   []byte
		says string
	}{
		"..":                           {pack(t, "a/../b"), `"a/../b"`},
		".. at the front":              {pack(t, "../b"), `".."`},
		"a long name":                  {pack(t, "a/"+long+"/b"), "256 bytes"},
		"a whiteout of nothing":        {pack(t, "a/.wh."), `"a/.wh."`},
		"a whiteout of .":              {pack(t, "a/.wh.."), `"a/.wh.."`},
		"a whiteout of ..":             {pack(t, ".wh..."), `".wh..."`},
		"a whiteout of a long name":    {pack(t, ".wh."+long), "256 bytes"},
		"a whiteout with content":      {pack(t, ".wh.a: x"), "whiteout"},
		"below a whiteout":             {pack(t, ".wh.a/b"), "below a whiteout"},
		"below a file":                 {pack(t, "a: x", "a/b"), `below "a"`},
		"below a symlink":              {pack(t, "a -> x", "a/b"), `below "a"`},
		"below a hardlink":             {pack(t, "a = x", "a/b"), `below "a"`},
		"a whiteout below a file":      {pack(t, "d/a: x", "d/a/.wh.b"), `below "d/a"`},
		"an opaque marker in a file":   {pack(t, "a: x", "a/.wh..wh..opq"), `below "a"`},
		"a file as the root":           {pack(t, "."), "root"},
		"a hardlink to ..":             {pack(t, "a = ../b"), `".."`},
		"a hardlink to the root":       {pack(t, "d/a = /"), "directory"},
		"a hardlink to nothing":        {pack(t, "a = "), "hardlink"},
		"a hardlink to a directory":    {pack(t, "d/", "a = d"), "directory"},
		"a hardlink to a later one":    {pack(t, "a = d", "d/f"), "directory"},
		"a hardlink to a removed name": {pack(t, ".wh.b", "a = b"), "removes"},
		"a hardlink to a whiteout":     {pack(t, ".wh.b", "a = .wh.b"), "whiteout"},
		"a hardlink below a whiteout":  {pack(t, ".wh.d", "a = d/b"), "not there"},
		"a hardlink into an opaque":    {pack(t, "d/.wh..wh..opq", "a = d/b"), "not there"},
		"a hardlink below a file":      {pack(t, "d: x", "a = d/b"), "not there"},
		"a hardlink to itself":         {pack(t, "a = a"), "itself"},
		"hardlinks in a circle":        {pack(t, "a = b", "b = c", "c = a"), "hardlink"},
		"a link of AUFS to nothing":    {pack(t, "a = .wh..wh.plnk/7"), "not there"},
		"an empty symlink":             {pack(t, "a -> "), "symlink"},
		"a long symlink":               {pack(t, "a -> "+strings.Repeat("x", 4096)), "4096 bytes"},
		"uid 2^32-1":                   {header(tar.Header{Name: "a", Uid: math.MaxUint32}), "owner 4294967295"},
		"gid 2^32":                     {header(tar.Header{Name: "a", Gid: math.MaxUint32 + 1}), "group 4294967296"},
		"uid -1":                       {header(tar.Header{Name: "a", Uid: -1, Format: tar.FormatGNU}), "owner -1"},
		"year 10000":                   {header(tar.Header{Name: "a", ModTime: time.Unix(253402300800, 0)}), "9999"},
		"a directory with a size":      {header(tar.Header{Name: "d/", Typeflag: tar.TypeDir, Size: 5}), "size is 5"},
		"a hardlink with a size":       {header(tar.Header{Name: "h", Linkname: "x", Typeflag: tar.TypeLink, Size: 512}), "size is 512"},
		"a fifo with a size":           {header(tar.Header{Name: "p", Typeflag: tar.TypeFifo, Size: 1}), "size is 1"},
		"an unknown type":              {header(tar.Header{Name: "v", Typeflag: 'V'}), "unknown"},
		"a device beyond Linux":        {header(tar.Header{Name: "c", Typeflag: tar.TypeChar, Devminor: 1 << 20}), "device"},
		"an xattr of no name":          {header(tar.Header{Name: "a", PAXRecords: map[string]string{"SCHILY.xattr.": "x"}}), "extended attribute"},
		"an xattr that is long":        {header(tar.Header{Name: "a", PAXRecords: map[string]string{"SCHILY.xattr.user.x": strings.Repeat("x", 65537)}}), "65537"},
		"an xattr with a long name":    {header(tar.Header{Name: "a", PAXRecords: map[string]string{"SCHILY.xattr.user." + long: "x"}}), "255"},
		"an xattr not in base64":       {header(tar.Header{Name: "a", PAXRecords: map[string]string{"LIBARCHIVE.xattr.user.x": "!"}}), "user.x"},
		"an xattr's name with NUL":     {header(tar.Header{Name: "a", PAXRecords: map[string]string{"LIBARCHIVE.xattr.user.%00": ""}}), "extended attribute"},
		"data after the end":           {append(pack(t, "a"), "x"...), "after its end"},
		"a second tar":                 {append(pack(t, "a"), pack(t, "b")...), "after its end"},
		"not a tar":                    {bytes.Repeat([]byte("no tar "), 1000), "malformed"},
		"cut off in a body":            {pack(t, "a: xyz")[:514], "cut off"},
		"cut off in padding":           {pack(t, "a: xyz")[:600], "cut off"},
		"cut off in a header":          {pack(t, "a", "b")[:700], "cut off"},
		"cut off after a PAX header":   {pack(t, strings.Repeat("long", 50))[:1024], "belongs to an entry"},
		"cut off in a PAX header":      {pack(t, strings.Repeat("long", 50))[:512], "cut off"},
	} {
		t.Run(law, func(t *testing.T) {
			m := newMemory()
			cs, _, err := layer.Read(t.Context(), bytes.NewReader(c.in), layer.ReadOptions{Blobs: m})
			if err == nil {
				t.Fatalf("read as\n%s", short(m, cs))
			}
			if !errors.Is(err, layer.ErrMalformed) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q does not say %q", err, c.says)
			}
			if !cs.IsEmpty() {
				t.Error("there is half a change set")
			}
			if strings.HasPrefix(law, "cut off") && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v is not io.ErrUnexpectedEOF", err)
			}
		})
	}
}

// setSize changes the size in the first header of a tar.
func setSize(b []byte, size int64) {
	copy(b[124:136], []byte("00000000000\x00"))
	for i := 134; size > 0; i-- {
		b[i] = byte('0' + size%8)
		size /= 8
	}
	fixSum(b[:512])
}

// fixSum makes the sum of a header right.
func fixSum(h []byte) {
	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	digits := []byte("000000\x00 ")
	for i := 5; sum > 0; i-- {
		digits[i] = byte('0' + sum%8)
		sum /= 8
	}
	copy(h[148:156], digits)
}

// A layer without the marks of its end is whole; nothing else that is cut off is.
func TestCutOffLayersAreRefused(t *testing.T) {
	whole := pack(t, "d/", "d/"+strings.Repeat("long", 40)+": content", "l = d/"+strings.Repeat("long", 40), ".wh.x", "s -> t", "f: "+strings.Repeat("x", 700))
	end := len(whole) - 1024
	for n := range len(whole) {
		m := newMemory()
		cs, _, err := layer.Read(t.Context(), bytes.NewReader(whole[:n]), layer.ReadOptions{Blobs: m})
		switch {
		case err == nil && n >= end && n%512 == 0:
			want, _, _ := layer.Read(t.Context(), bytes.NewReader(whole), layer.ReadOptions{Blobs: m})
			if !slices.Equal(listing(want), listing(cs)) {
				t.Fatalf("%d of %d bytes are read as something else", n, len(whole))
			}
		case err == nil && n%512 != 0:
			t.Fatalf("%d of %d bytes are read without an error", n, len(whole))
		case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
			t.Fatalf("%d bytes: %v", n, err)
		case err != nil && !cs.IsEmpty():
			t.Fatalf("%d bytes: half a change set", n)
		}
	}
}

// A flipped bit is an error, or in a body.
func TestFlippedBitsDoNoHarm(t *testing.T) {
	b := pack(t, "d/", "d/"+strings.Repeat("long", 40)+": content", "l = d/"+strings.Repeat("long", 40), ".wh.x", "s -> t")
	clean, _, err := layer.Read(t.Context(), bytes.NewReader(b), layer.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := listing(clean)
	for i := range b {
		for _, bit := range []int{i % 8, (i*3 + 1) % 8} {
			b[i] ^= 1 << bit
			cs, _, err := layer.Read(t.Context(), bytes.NewReader(b), layer.ReadOptions{})
			if err != nil && !errors.Is(err, layer.ErrMalformed) {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
			if err != nil && !cs.IsEmpty() {
				t.Fatalf("byte %d, bit %d: half a change set", i, bit)
			}
			if err == nil && len(listing(cs)) != len(want) {
				// Only a PAX record or a body can be changed unseen.
				t.Logf("byte %d, bit %d: read as\n%s", i, bit, strings.Join(listing(cs), "\n"))
			}
			b[i] ^= 1 << bit
		}
	}
}
