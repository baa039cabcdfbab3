//go:build linux

package checkout_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/tree"
)

func attr(mode tree.Mode, uid, gid uint32, sec int64, nsec uint32, xattrs ...string) tree.Attr {
	m := map[string]string{}
	for i := 0; i < len(xattrs); i += 2 {
		m[xattrs[i]] = xattrs[i+1]
	}
	return tree.Attr{Mode: mode, UID: uid, GID: gid, ModTime: tree.Time{Sec: sec, Nsec: nsec}, Xattrs: tree.NewXattrs(m)}
}

func mustTree(t testing.TB, d *tree.Draft) tree.Tree {
	t.Helper()
	tr, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// capability is a value of security.capability: cap_net_raw+ep.
const capability = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// acl is an access control list: u::rw-,u:1000:r--,g::r--,m::r--,o::---
const acl = "\x02\x00\x00\x00" +
	"\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\xe8\x03\x00\x00" +
	"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"

// sample has an entry of every kind, with every attribute that all file systems
// keep.
func sample(t testing.TB, b *blobs) *tree.Draft {
	file := func(content string, a tree.Attr) tree.Entry { return b.put(t, content).WithAttr(a) }
	d := tree.NewDraft(tree.Empty().With(attr(0o751, 3, 4, 1234567890, 987654321, "user.root", "r")))
	d.Put("empty", file("", attr(0o644, 0, 0, 1, 1)))
	d.Put("hello", file("hello\n", attr(0o600, 1000, 1001, 1700000000, 5)))
	d.Put("setuid", file("su", attr(0o6755, 0, 7, 5, 0)))
	d.Put("sticky-file", file("su", attr(0o1000, 65534, 4294967294, 5, 0)))
	d.Put("capable", file("cap", attr(0o755, 5, 6, 7, 8, "security.capability", capability)))
	d.Put("acl", file("acl", attr(0o640, 5, 6, 7, 8, "system.posix_acl_access", acl)))
	d.Put("before-1970", file("old", attr(0o444, 0, 0, -86400, 999999999)))
	d.Put("xattrs", file("x", attr(0o444, 0, 0, 9, 9, "user.empty", "", "user.bytes", "\x00\xff\n", "trusted.t", "t", "user."+strings.Repeat("n", 250), strings.Repeat("v", 1000))))
	d.Put("overlay-xattrs", file("y", attr(0o444, 0, 0, 9, 9, "trusted.overlay.redirect", "/etc/shadow", "trusted.overlay.metacopy", "", "trusted.overlay.overlay.opaque", "y", "user.overlay.opaque", "y")))
	d.Put("large", file(strings.Repeat("0123456789abcdef", 200000), attr(0o644, 0, 0, 1, 0)))
	d.Put("zeros", file("a"+strings.Repeat("\x00", 300000)+"b", attr(0o644, 0, 0, 1, 0)))
	d.Put("zero-end", file("a"+strings.Repeat("\x00", 300000), attr(0o644, 0, 0, 1, 0)))
	d.Put("link", tree.Symlink{Target: "hello", Attributes: attr(0o777, 12, 13, 99, 98)})
	d.Put("dangling", tree.Symlink{Target: "/no/where/\xff\xfe", Attributes: attr(0o777, 12, 13, 99, 98, "trusted.l", "v")})
	d.Put("long-link", tree.Symlink{Target: strings.Repeat("a/", 2047) + "b", Attributes: attr(0o777, 0, 0, 0, 0)})
	d.Put("null", tree.Device{Major: 1, Minor: 3, Attributes: attr(0o666, 0, 0, 11, 12)})
	d.Put("disk", tree.Device{Block: true, Major: 259, Minor: 1048575, Attributes: attr(0o660, 0, 6, 11, 12)})
	d.Put("block-0-0", tree.Device{Block: true, Attributes: attr(0o660, 0, 6, 11, 12)})
	d.Put("fifo", tree.Fifo{Attributes: attr(0o622, 1, 2, 3, 4, "trusted.f", "f")})
	d.Put("socket", tree.Socket{Attributes: attr(0o755, 1, 2, 3, 4)})
	d.Put(strings.Repeat("\xc3\x28", 127)+"x", file("long name", attr(0o644, 0, 0, 1, 0)))
	for _, name := range []string{"!", "-", "...", "..a", ".a", "+", " ", "\n", "\x01", "\xff", "a b"} {
		d.Put(name, file(name, attr(0o644, 0, 0, 1, 0)))
	}
	sub := d.MakeDir("dir", attr(0o2775, 8, 9, 1111, 2222, "user.d", "d"))
	sub.Put("one", file("linked", attr(0o640, 1, 1, 77, 77, "user.h", "h")))
	sub.MakeDir("empty", attr(0o1777, 0, 0, 3, 3))
	deep := sub
	for range 30 {
		deep = deep.MakeDir("deep", attr(0o700, 0, 0, 6, 6))
	}
	deep.Put("two", file("linked", attr(0o640, 1, 1, 77, 77, "user.h", "h")))
	d.Put("three", file("linked", attr(0o640, 1, 1, 77, 77, "user.h", "h")))
	d.Link("dir/one", "three", "dir/"+strings.Repeat("deep/", 30)+"two")
	d.Put("fifo-2", tree.Fifo{Attributes: attr(0o622, 1, 2, 3, 4, "trusted.f", "f")})
	d.Link("fifo", "fifo-2")
	locked := d.MakeDir("locked", attr(0o000, 8, 9, 1111, 2222))
	locked.Put("inside", file("inside", attr(0o000, 1, 1, 1, 1)))
	wide := d.MakeDir("wide", attr(0o755, 0, 0, 1, 1))
	for i := range 1000 {
		wide.Put(fmt.Sprintf("a name of some length, number %d", i), file(fmt.Sprint(i%10), attr(0o644, 0, 0, int64(i), 0)))
	}
	return d
}
