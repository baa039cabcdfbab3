//go:build linux

package shim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// bodies are what files hold: some in two sources, some to be written inline.
type bodies struct {
	texts map[digest.Digest]string
	dirs  []string
}

// newBodies makes the sources in a directory.
func newBodies(dir string, lists ...treetest.Listing) (*bodies, error) {
	b := &bodies{texts: map[digest.Digest]string{}}
	for i := range 2 {
		d := filepath.Join(dir, fmt.Sprint("source", i), "deep")
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
		b.dirs = append(b.dirs, filepath.Dir(d))
	}
	for _, l := range lists {
		for d, text := range l.Texts() {
			b.texts[d] = text
			for _, dir := range b.dirs {
				if err := os.WriteFile(filepath.Join(dir, "deep", d.Hex()), []byte(text), 0o600); err != nil {
					return nil, err
				}
			}
		}
	}
	return b, nil
}

func (b *bodies) where(_ context.Context, d digest.Digest) (shim.Content, error) {
	text, ok := b.texts[d]
	if !ok {
		return nil, fmt.Errorf("%s is unknown", d)
	}
	if n := d.Hex()[0] % 3; n < 2 {
		return shim.At{Source: int(n), Path: "/deep/" + d.Hex()}, nil
	}
	return shim.Inline(text), nil
}

// list writes the changes that make b of a.
func (s *bodies) list(file string, a, b treetest.Listing) error {
	c, err := shim.List(context.Background(), a.MustTree(), b.MustTree(), s.where)
	if err != nil {
		return err
	}
	return writeList(file, c)
}

func writeList(file string, c shim.Changes) error {
	var out bytes.Buffer
	if err := c.Encode(&out); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o644)
}

// pair draws two trees, the second often an edited first.
func pair(seed uint64) (a, b treetest.Listing) {
	s := treetest.Seeded(seed)
	if seed%3 == 0 {
		return s.Listing(treetest.Limits{Disk: true}), s.Listing(treetest.Limits{Disk: true})
	}
	return s.Pair(treetest.Limits{Disk: true})
}

func TestChangesMakeOneTreeOfAnother(t *testing.T) {
	needsRoot(t)
	dir := t.TempDir()
	for seed := range uint64(80) {
		if err := changes(filepath.Join(dir, fmt.Sprint(seed)), seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		must(t, os.RemoveAll(filepath.Join(dir, fmt.Sprint(seed))))
	}
}

// changes checks a pair out by package checkout, and lets the program change and
// survey it.
func changes(dir string, seed uint64) error {
	a, b := pair(seed)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	s, err := newBodies(dir, a, b)
	if err != nil {
		return err
	}
	open := func(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(s.texts[d])), nil
	}
	root := filepath.Join(dir, "root")
	if err := checkout.ToDirectory(context.Background(), a.MustTree(), root, open, checkout.DirectoryOptions{}); err != nil {
		return err
	}
	if err := s.list(filepath.Join(dir, "list"), a, b); err != nil {
		return err
	}
	if err := runShim(append([]string{"apply", filepath.Join(dir, "list"), root}, s.dirs...)...); err != nil {
		return err
	}
	got, err := surveyed(root, filepath.Join(dir, "out"))
	if err == nil && !got.Equal(b) {
		err = errors.New(treetest.Differences(got, b))
	}
	return err
}

// Overlayfs breaks hardlinks of lower layers when one of their names is changed, and
// does not rename directories of theirs.
func TestChangesOnAnOverlayMakeOneTreeOfAnother(t *testing.T) {
	needsRoot(t)
	err := treetest.Apart(func(dir string) error {
		for seed := range uint64(150) {
			a, b := pair(seed)
			if err := onOverlay(filepath.Join(dir, fmt.Sprint(seed)), a, b); err != nil {
				return fmt.Errorf("seed %d: %w", seed, err)
			}
		}
		return nil
	})
	must(t, err)
}

// What overlayfs breaks of a group is only seen after another name of it was changed.
func TestGroupsOfLowerLayersStayOne(t *testing.T) {
	needsRoot(t)
	for _, c := range []struct{ a, b string }{
		{"a = 1\nb == a", "a = 1\nb == a\nc == a"},
		{"a = 1\nb == a", "a = 1 {0600}\nb == a"},
		{"a = 1\nb == a\nz = 2", "a = 1\nb == a\nd/c == a\nz == a"},
		{"a = 1\nb == a\nc == a", "a = 1\nb = 1\nc == b"},
		{"d/a = 1\nd/b == d/a\ne/c == d/a", "d/a = 1\nd/b == d/a\ne/c == d/a\ne/f == d/a"},
		{"a fifo\nb == a", "a fifo {0600}\nb == a\nc == a"},
		{"a = 1\nb == a", "a = 1\nb = 1 {0600}"},
	} {
		must(t, treetest.Apart(func(dir string) error {
			err := onOverlay(filepath.Join(dir, "x"), treetest.MustParse(c.a), treetest.MustParse(c.b))
			if err != nil {
				err = fmt.Errorf("%q to %q: %w", c.a, c.b, err)
			}
			return err
		}))
	}
}

// overlay mounts an overlay of a lower directory.
func overlay(dir, lower string) (root string, err error) {
	for _, d := range []string{"upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return "", err
		}
	}
	root = filepath.Join(dir, "merged")
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work,index=off,redirect_dir=off,metacopy=off", lower, dir, dir)
	if err := unix.Mount("overlay", root, "overlay", 0, options); err != nil {
		return "", fmt.Errorf("mount overlay: %w", err)
	}
	return root, nil
}

func onOverlay(dir string, a, b treetest.Listing) error {
	if a.Equal(b) {
		return nil // no list, and the root of a fresh mount is new
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	s, err := newBodies(dir, a, b)
	if err != nil {
		return err
	}
	if err := treetest.Write(a, filepath.Join(dir, "lower")); err != nil {
		return err
	}
	root, err := overlay(dir, filepath.Join(dir, "lower"))
	if err != nil {
		return err
	}
	defer unix.Unmount(root, unix.MNT_DETACH)
	if err := s.list(filepath.Join(dir, "list"), a, b); err != nil {
		return err
	}
	if err := shim.Apply(context.Background(), filepath.Join(dir, "list"), root, s.dirs); err != nil {
		return err
	}
	got, err := treetest.Read(root)
	if err == nil && !got.Equal(b) {
		err = errors.New(treetest.Differences(got, b))
	}
	return err
}

// place is a directory with a list to apply to it.
type place struct {
	t         *testing.T
	dir, root string
	sources   []string
}

func newPlace(t *testing.T, text string) *place {
	t.Helper()
	needsRoot(t)
	p := &place{t: t, dir: t.TempDir()}
	p.root = filepath.Join(p.dir, "root")
	must(t, treetest.Write(treetest.MustParse(text), p.root))
	p.sources = []string{filepath.Join(p.dir, "source")}
	must(t, os.Mkdir(p.sources[0], 0o755))
	must(t, os.WriteFile(filepath.Join(p.sources[0], "f"), []byte("body"), 0o644))
	return p
}

func (p *place) apply(c ...shim.Change) error {
	p.t.Helper()
	must(p.t, writeList(filepath.Join(p.dir, "list"), c))
	return shim.Apply(p.t.Context(), filepath.Join(p.dir, "list"), p.root, p.sources)
}

var plain = tree.Attr{Mode: 0o755}

func TestAListThatForgetsADirectoryIsRefused(t *testing.T) {
	p := newPlace(t, "")
	err := p.apply(shim.MakeDir{Path: "/a", Attr: plain}, shim.Put{Path: "/a/f", Entry: tree.File{}})
	if err == nil || !strings.Contains(err.Error(), "in / and does not say its attributes") {
		t.Error(err)
	}
	must(t, p.apply(shim.Put{Path: "/a/g", Entry: tree.File{}}, shim.SetAttr{Path: "/a", Attr: plain}))
}

func (p *place) listing() treetest.Listing {
	p.t.Helper()
	l, err := treetest.Read(p.root)
	must(p.t, err)
	return l
}

// is tells whether the tree is the one of a text.
func (p *place) is(text string) {
	p.t.Helper()
	if got, want := p.listing(), treetest.MustParse(text); !got.Equal(want) {
		p.t.Errorf("\n%s", treetest.Differences(got, want))
	}
}

func TestEveryKindOfChange(t *testing.T) {
	p := newPlace(t, "a/f = 1\na/g == a/f\nb/c/x = 2\nl -> a\nold/y = 3 {0600 1:2 user.k=v}")
	epoch := shim.SetAttr{Path: "/", Attr: plain}
	must(t, p.apply(
		shim.Remove{Path: "/absent"}, shim.Remove{Path: "/b"},
		shim.MakeDir{Path: "/l", Attr: tree.Attr{Mode: 0o1700}}, // in the place of a symlink
		shim.MakeDir{Path: "/l/d", Attr: tree.Attr{Mode: 0o2755, UID: 5, ModTime: tree.Time{Sec: 9, Nsec: 1}}},
		shim.Put{Path: "/l/d/f", Entry: tree.File{Size: 4, Attributes: tree.Attr{Mode: 0o6711, UID: 7}}, From: shim.At{Path: "/f"}},
		shim.Put{Path: "/l/i", Entry: tree.File{Size: 2, Attributes: tree.Attr{Mode: 0o600}}, From: shim.Inline("in")},
		shim.Put{Path: "/l/\xff", Entry: tree.Symlink{Target: "/\xfe", Attributes: tree.Attr{Mode: 0o777, UID: 3}}},
		shim.Put{Path: "/l/n", Entry: tree.Device{Major: 1, Minor: 3}}, shim.Put{Path: "/l/k", Entry: tree.Device{Block: true, Major: 7, Minor: 300}},
		shim.Put{Path: "/l/p", Entry: tree.Fifo{}}, shim.Put{Path: "/l/s", Entry: tree.Socket{Attributes: tree.Attr{Mode: 0o755}}},
		shim.Link{Path: "/l/h", To: "/l/i"}, shim.Link{Path: "/l/h2", To: "/l/p"}, shim.Link{Path: "/a/g", To: "/a/f"},
		shim.SetAttr{Path: "/old/y", Attr: tree.Attr{Mode: 0o4755, Xattrs: tree.NewXattrs(map[string]string{"user.o": "\x00"})}},
		shim.Rename{From: "/old", To: "/new"}, shim.Rename{From: "/new/y", To: "/new/z"},
		shim.SetAttr{Path: "/new", Attr: tree.Attr{Mode: 0o700, ModTime: tree.Time{Sec: -1}}},
		shim.SetAttr{Path: "/a", Attr: plain}, epoch,
	))
	p.is("a/f = 1\na/g == a/f\nl/ {1700}\nl/d/ {2755 5:0 @9.000000001}\nl/d/f = body {6711 7:0}\nl/i = in {0600}\nl/h == l/i\n" +
		"\"l/\\xff\" -> \"/\\xfe\" {3:0}\nl/n char 1:3 {0000}\nl/k block 7:300 {0000}\nl/p fifo {0000}\nl/h2 == l/p\nl/s socket {0755}\n" +
		"new/ {0700 @-1}\nnew/z = 3 {4755 \"user.o=\\x00\"}")
}

// An access control list for what is made in a directory is none of a new entry's.
func TestNothingIsInheritedFromADirectory(t *testing.T) {
	p := newPlace(t, "d/")
	acl := "\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x04\x00\x05\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff"
	if err := unix.Setxattr(filepath.Join(p.root, "d"), "system.posix_acl_default", []byte(acl), 0); err != nil {
		t.Skip("no access control lists here:", err)
	}
	must(t, os.Chmod(filepath.Join(p.root, "d"), 0o2777))
	d := tree.Attr{Mode: 0o2777, Xattrs: tree.NewXattrs(map[string]string{"system.posix_acl_default": acl})}
	must(t, p.apply(
		shim.Put{Path: "/d/f", Entry: tree.File{Attributes: tree.Attr{Mode: 0o666}}}, shim.MakeDir{Path: "/d/e", Attr: tree.Attr{Mode: 0o777}},
		shim.Put{Path: "/d/e/p", Entry: tree.Fifo{Attributes: tree.Attr{Mode: 0o622}}}, shim.SetAttr{Path: "/d", Attr: d}, shim.SetAttr{Path: "/", Attr: plain},
	))
	for path, want := range map[string]tree.Attr{"/d": d, "/d/f": {Mode: 0o666}, "/d/e": {Mode: 0o777}, "/d/e/p": {Mode: 0o622}} {
		if got := p.listing().Find(path); got == nil || got.Attr != want {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

// What a list cannot do ends it with a line that names the path, and leads nowhere
// outside.
func TestHostileTreesAndLists(t *testing.T) {
	host := t.TempDir()
	must(t, os.WriteFile(filepath.Join(host, "secret"), []byte("secret"), 0o600))
	before, err := treetest.Read(host)
	if err != nil {
		t.Skip(err)
	}
	x := tree.File{Size: 1, Attributes: tree.Attr{Mode: 0o644}}
	for name, test := range map[string]struct {
		list shim.Changes
		want string // of the error; "" for none
	}{
		"put below a link":       {shim.Changes{shim.Put{Path: "/l/secret", Entry: x, From: shim.Inline("x")}}, "put /l/secret: the directory above it: /l: not a directory"},
		"put through a link":     {shim.Changes{shim.Put{Path: "/f", Entry: x, From: shim.Inline("x")}}, ""},
		"directory below a link": {shim.Changes{shim.MakeDir{Path: "/l/d", Attr: plain}}, "make directory /l/d: the directory above it: /l"},
		"directory on a link":    {shim.Changes{shim.MakeDir{Path: "/l", Attr: plain}}, ""},
		"remove below a link":    {shim.Changes{shim.Remove{Path: "/up/secret"}}, "remove /up/secret"},
		"remove a link":          {shim.Changes{shim.Remove{Path: "/l"}, shim.Remove{Path: "/dir"}}, ""},
		"attributes of a link":   {shim.Changes{shim.SetAttr{Path: "/f", Attr: tree.Attr{UID: 9, Mode: 0o777}}}, ""},
		"below a link":           {shim.Changes{shim.SetAttr{Path: "/l/secret", Attr: plain}}, "set attributes /l/secret"},
		"link to below a link":   {shim.Changes{shim.Link{Path: "/h", To: "/l/secret"}}, "link /h: to /l/secret"},
		"link to a link":         {shim.Changes{shim.Link{Path: "/h", To: "/f"}}, ""},
		"link to a directory":    {shim.Changes{shim.Link{Path: "/h", To: "/dir"}}, "a directory cannot have two names"},
		"link in a link":         {shim.Changes{shim.Link{Path: "/l/h", To: "/f"}}, "link /l/h: the directory above it"},
		"rename out of a link":   {shim.Changes{shim.Rename{From: "/l/secret", To: "/h"}}, "rename /l/secret"},
		"rename into a link":     {shim.Changes{shim.Rename{From: "/dir", To: "/l/secret"}}, "rename /dir: to /l/secret"},
		"rename nothing":         {shim.Changes{shim.Rename{From: "/absent", To: "/h"}}, "rename /absent: no such file"},
		"source below a link":    {shim.Changes{shim.Put{Path: "/h", Entry: x, From: shim.At{Path: "/l/secret"}}}, "put /h: source 0: the directory above it: /l"},
		"source that is a link":  {shim.Changes{shim.Put{Path: "/h", Entry: x, From: shim.At{Path: "/s"}}}, "put /h: source 0: /s: too many levels"},
		"source that is a fifo":  {shim.Changes{shim.Put{Path: "/h", Entry: x, From: shim.At{Path: "/p"}}}, "put /h: source 0: /p: it is no file of 1 bytes"},
		"source of another size": {shim.Changes{shim.Put{Path: "/h", Entry: x, From: shim.At{Path: "/f"}}}, "put /h: source 0: /f: it is no file of 1 bytes"},
		"no such source":         {shim.Changes{shim.Put{Path: "/h", Entry: x, From: shim.At{Source: 3, Path: "/f"}}}, "put /h: source 3: there are 1"},
		"no parent":              {shim.Changes{shim.Put{Path: "/no/h", Entry: tree.Fifo{}}}, "put /no/h: the directory above it: /no: no such file"},
		"below a file":           {shim.Changes{shim.Put{Path: "/dir/x/h", Entry: tree.Fifo{}}}, "put /dir/x/h: the directory above it: /dir/x: not a directory"},
		"a whiteout":             {shim.Changes{shim.Put{Path: "/h", Entry: tree.Device{}}}, "put /h: the character device 0:0 means a removed name"},
		"a time":                 {shim.Changes{shim.Put{Path: "/h", Entry: tree.Fifo{Attributes: tree.Attr{ModTime: tree.Time{Sec: 1 << 40}}}}}, "put /h: modified 1099511627776 seconds from 1970"},
		"an attribute":           {shim.Changes{shim.Put{Path: "/h", Entry: tree.Fifo{Attributes: tree.Attr{Xattrs: tree.NewXattrs(map[string]string{"user.k": "v"})}}}}, `put /h: extended attribute "user.k" of 1 bytes: operation not permitted (what`},
		"attributes of nothing":  {shim.Changes{shim.SetAttr{Path: "/absent", Attr: plain}}, "set attributes /absent: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, "l -> "+host+"\nup -> ../../../../../.."+host+"\nf -> "+host+"/secret\ndir/x = 1\ndir/l -> "+host)
			must(t, os.Symlink(host, filepath.Join(p.sources[0], "l")))
			must(t, os.Symlink(host+"/secret", filepath.Join(p.sources[0], "s")))
			must(t, unix.Mkfifo(filepath.Join(p.sources[0], "p"), 0o666))
			err := p.apply(append(test.list, shim.SetAttr{Path: "/", Attr: plain})...)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if after, err := treetest.Read(host); err != nil || !after.Equal(before) {
				t.Errorf("outside: %v\n%s", err, treetest.Differences(after, before))
			}
		})
	}
}

func TestAListThatCannotBeIsNotWritten(t *testing.T) {
	for name, c := range map[string]shim.Change{
		"relative":        shim.Remove{Path: "a"},
		"up":              shim.Remove{Path: "/a/../b"},
		"empty name":      shim.Remove{Path: "/a//b"},
		"slash":           shim.Remove{Path: "/a/"},
		"NUL":             shim.Remove{Path: "/a\x00"},
		"long":            shim.Remove{Path: "/" + strings.Repeat("n", 256)},
		"root":            shim.Remove{Path: "/"},
		"into itself":     shim.Rename{From: "/a", To: "/a/b"},
		"mode":            shim.MakeDir{Path: "/a", Attr: tree.Attr{Mode: 0o10000}},
		"owner":           shim.SetAttr{Path: "/", Attr: tree.Attr{GID: 1<<32 - 1}},
		"time":            shim.SetAttr{Path: "/", Attr: tree.Attr{ModTime: tree.Time{Nsec: 1e9}}},
		"directory":       shim.Put{Path: "/a", Entry: tree.Empty()},
		"no content":      shim.Put{Path: "/a", Entry: tree.File{Size: 1}},
		"other content":   shim.Put{Path: "/a", Entry: tree.File{Size: 1}, From: shim.Inline("ab")},
		"content of none": shim.Put{Path: "/a", Entry: tree.Fifo{}, From: shim.At{Path: "/f"}},
		"large inline":    shim.Put{Path: "/a", Entry: tree.File{Size: shim.MaxInline + 1}, From: make(shim.Inline, shim.MaxInline+1)},
		"source":          shim.Put{Path: "/a", Entry: tree.File{Size: 1}, From: shim.At{Path: "f"}},
	} {
		if err := (shim.Changes{c}).Encode(io.Discard); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Renaming is the same on overlayfs, which does not rename directories of lower layers.
func TestDirectoriesOfLowerLayersAreMoved(t *testing.T) {
	needsRoot(t)
	must(t, treetest.Apart(func(dir string) error {
		was := treetest.MustParse("d/ {0700 1:2 @7.000000003 trusted.k=v}\nd/e/ {1777 @8}\nd/e/f = 1\nd/g == d/e/f\nd/e/h fifo {0600 @9}\nd/e/deep/er/x = 2\nto/old = 3\nto/d/gone = 4")
		if err := treetest.Write(was, filepath.Join(dir, "lower")); err != nil {
			return err
		}
		root, err := overlay(dir, filepath.Join(dir, "lower"))
		if err != nil {
			return err
		}
		defer unix.Unmount(root, unix.MNT_DETACH)
		list := shim.Changes{
			shim.SetAttr{Path: "/d/e", Attr: tree.Attr{Mode: 0o711, ModTime: tree.Time{Sec: 5}}},
			shim.Rename{From: "/d", To: "/to/d"}, shim.Put{Path: "/to/d/new", Entry: tree.Fifo{}},
			shim.SetAttr{Path: "/to/d", Attr: tree.Attr{Mode: 0o700, UID: 1, GID: 2, ModTime: tree.Time{Sec: 7, Nsec: 3}}},
			shim.SetAttr{Path: "/to", Attr: plain}, shim.SetAttr{Path: "/", Attr: plain},
		}
		if err := writeList(filepath.Join(dir, "list"), list); err != nil {
			return err
		}
		if err := shim.Apply(context.Background(), filepath.Join(dir, "list"), root, nil); err != nil {
			return err
		}
		got, err := treetest.Read(root)
		want := treetest.MustParse("to/d/ {0700 1:2 @7.000000003}\nto/d/e/ {0711 @5}\nto/d/e/f = 1\nto/d/g == to/d/e/f\nto/d/e/h fifo {0600 @9}\nto/d/e/deep/er/x = 2\nto/d/new fifo {0000}\nto/old = 3")
		if err == nil && !got.Equal(want) {
			err = errors.New(treetest.Differences(got, want))
		}
		return err
	}))
}

func TestHolesStayHoles(t *testing.T) {
	p := newPlace(t, "")
	name := filepath.Join(p.sources[0], "sparse")
	f, err := os.Create(name)
	must(t, err)
	const size = 1 << 32
	must(t, f.Truncate(size))
	for _, at := range []int64{0, 1 << 20, size - 3} {
		_, err := f.WriteAt([]byte("abc"), at)
		must(t, err)
	}
	must(t, f.Close())
	must(t, p.apply(shim.Put{Path: "/s", Entry: tree.File{Size: size}, From: shim.At{Path: "/sparse"}}, shim.SetAttr{Path: "/", Attr: plain}))
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(p.root, "s"), &st))
	if st.Size != size || st.Blocks > 1000 {
		t.Errorf("%d bytes in %d blocks", st.Size, st.Blocks)
	}
	f, err = os.Open(filepath.Join(p.root, "s"))
	must(t, err)
	defer f.Close()
	for _, at := range []int64{0, 1 << 20, size - 3} {
		b := make([]byte, 3)
		if _, err := f.ReadAt(b, at); err != nil || string(b) != "abc" {
			t.Errorf("at %d: %q %v", at, b, err)
		}
	}
}

// What only has other attributes is not written again, nor are the other names of an
// inode.
func TestContentIsOnlyAskedForWhenItMustBe(t *testing.T) {
	a := treetest.MustParse("big = 1\nx = 2\ny == x\nz = 3\nalone = 4")
	b := treetest.MustParse("big = 1 {0600}\nx = 2 {@5}\ny == x\nmore == x\nz = 3\nd/z == z\nalone = 4")
	list, err := shim.List(t.Context(), a.MustTree(), b.MustTree(), func(context.Context, digest.Digest) (shim.Content, error) {
		return nil, errors.New("asked for")
	})
	must(t, err)
	if len(list) > 9 {
		t.Errorf("%d changes: %+v", len(list), list)
	}
	if list, err := shim.List(t.Context(), a.MustTree(), a.MustTree(), nil); err != nil || list != nil {
		t.Errorf("from a to a: %v, %v", list, err)
	}
	if _, err := shim.List(t.Context(), tree.Empty(), a.MustTree(), func(context.Context, digest.Digest) (shim.Content, error) { return nil, nil }); err == nil || !strings.Contains(err.Error(), "is nowhere") {
		t.Error(err)
	}
}

// All that lists can say is carried out with what docker gives a container's root, but
// for what only the host's may do.
func TestAContainersRootMayApplyAndSurvey(t *testing.T) {
	c := newContainer(t)
	p := newPlace(t, "old/f = 1 {7:8}\nold/g == old/f")
	must(t, os.Rename(p.root, filepath.Join(c.root, "in")))
	must(t, os.Mkdir(filepath.Join(c.root, "found"), 0o755))
	run := func(words string) (string, error) {
		out, err := c.verb(t.Context(), words).CombinedOutput()
		return string(out), err
	}
	list := filepath.Join(c.root, "list")
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	must(t, writeList(list, shim.Changes{
		shim.Rename{From: "/old", To: "/new"}, shim.SetAttr{Path: "/new", Attr: plain},
		shim.Put{Path: "/new/cap", Entry: tree.File{Attributes: tree.Attr{Mode: 0o6755, UID: 9, Xattrs: tree.NewXattrs(map[string]string{"security.capability": capability, "user.k": "v"})}}},
		shim.Put{Path: "/new/dev", Entry: tree.Device{Major: 1, Minor: 3}}, shim.SetAttr{Path: "/", Attr: plain},
	}))
	if out, err := run("apply /list /in"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := run("survey /in /found"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pack, err := shim.OpenPack(t.Context(), &onDisk{dir: filepath.Join(c.root, "found")})
	must(t, err)
	got, err := pack.Tree(t.Context())
	must(t, err)
	if want, err := treetest.Read(filepath.Join(c.root, "in")); err != nil || !treetest.List(got).Equal(want) || want.Find("/new/dev") == nil || want.Find("/new/cap").Attr.Mode != 0o6755 {
		t.Errorf("%v\n%s", err, treetest.Differences(treetest.List(got), want))
	}
	must(t, writeList(list, shim.Changes{shim.Put{Path: "/t", Entry: tree.Fifo{Attributes: tree.Attr{Xattrs: tree.NewXattrs(map[string]string{"trusted.k": "v"})}}}, shim.SetAttr{Path: "/", Attr: plain}}))
	out, err := run("apply /list /in")
	if want := `inlay-shim apply: put /t: extended attribute "trusted.k" of 1 bytes: operation not permitted (what a container may do there does not suffice)` + "\n"; err == nil || out != want {
		t.Errorf("%v: %q", err, out)
	}
}
