package capture_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// A script is file operations as a process does them, on a few names so that
// they meet. Those that fail are as good as those that do not.
type operation struct {
	name     string
	at, to   string
	n        int
	modeBits uint32
	regular  bool // link regular files only
}

func (o operation) String() string {
	return fmt.Sprintf("%s %s %s %d %o", o.name, o.at, o.to, o.n, o.modeBits)
}

func drawScript(t *rapid.T, label string, most int) []operation {
	kinds := []string{
		"create", "create", "write", "append", "truncate", "chmod", "chown", "utimes", "rename", "rename", "rename",
		"link", "link", "unlink", "unlink", "rmdir", "mkdir", "mkdir", "mkdir", "symlink", "mknod", "mkfifo", "socket",
		"setxattr", "removexattr", "setcap", "acl", "sparse", "rmtree", "touch", "exchange", "recreate",
	}
	path := rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 3).Draw(t, "path")
		return strings.Join(parts, "/")
	})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) operation {
		return operation{
			name: rapid.SampledFrom(kinds).Draw(t, "op"),
			at:   path.Draw(t, "at"), to: path.Draw(t, "to"),
			n:        rapid.IntRange(0, 5).Draw(t, "n"),
			modeBits: rapid.SampledFrom([]uint32{0o644, 0o755, 0o4755, 0o1777, 0o600, 0o2775}).Draw(t, "mode"),
		}
	}), 1, most).Draw(t, label)
}

func (o operation) run(root string) {
	at, to := filepath.Join(root, o.at), filepath.Join(root, o.to)
	body := func() []byte { return []byte(strings.Repeat(o.to, 1+o.n*100)) }
	open := func(flags int) {
		if f, err := os.OpenFile(at, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, os.FileMode(o.modeBits&0o777)); err == nil {
			if i, err := f.Stat(); err == nil && i.Mode().IsRegular() {
				f.Write(body())
			}
			f.Close()
		}
	}
	switch o.name {
	case "create":
		open(os.O_RDWR | os.O_CREATE | os.O_TRUNC)
	case "write":
		open(os.O_RDWR)
	case "append":
		open(os.O_RDWR | os.O_APPEND)
	case "touch": // copied up, and the same
		if f, err := os.OpenFile(at, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0); err == nil {
			f.Close()
		}
	case "recreate": // another inode, and the same
		var st unix.Stat_t
		if err := unix.Lstat(at, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			break // a fifo would block
		}
		if b, err := os.ReadFile(at); err == nil {
			os.Remove(at)
			os.WriteFile(at, b, 0o600)
			unix.Chmod(at, st.Mode&0o7777)
			unix.Lchown(at, int(st.Uid), int(st.Gid))
			unix.UtimesNanoAt(unix.AT_FDCWD, at, []unix.Timespec{st.Atim, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
		}
	case "truncate":
		os.Truncate(at, int64(o.n*50))
	case "chmod":
		unix.Chmod(at, o.modeBits)
	case "chown":
		unix.Lchown(at, o.n, o.n*2)
	case "utimes":
		ts := unix.Timespec{Sec: int64(o.n) * 1e8, Nsec: int64(o.n) * 7}
		unix.UtimesNanoAt(unix.AT_FDCWD, at, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
	case "rename":
		unix.Rename(at, to)
	case "exchange":
		unix.Renameat2(unix.AT_FDCWD, at, unix.AT_FDCWD, to, unix.RENAME_EXCHANGE)
	case "link":
		if i, err := os.Lstat(at); o.regular && (err != nil || !i.Mode().IsRegular()) {
			break
		}
		unix.Link(at, to)
	case "unlink":
		unix.Unlink(at)
	case "rmdir":
		unix.Rmdir(at)
	case "rmtree":
		if _, err := os.Lstat(at); err == nil { // RemoveAll opens the parent: a fifo would block
			os.RemoveAll(at)
		}
	case "mkdir":
		unix.Mkdir(at, o.modeBits)
	case "symlink":
		unix.Symlink(strings.ReplaceAll(o.to, "d", "."), at)
	case "mknod":
		unix.Mknod(at, []uint32{unix.S_IFCHR, unix.S_IFBLK}[o.n%2]|0o660, int(unix.Mkdev(uint32(o.n)+1, 300)))
	case "mkfifo":
		unix.Mkfifo(at, 0o640)
	case "socket":
		unix.Mknod(at, unix.S_IFSOCK|0o755, 0)
	case "setxattr":
		name := []string{"user.x", "trusted.y", "user.overlay.z", "trusted.overlay.opaque", "user.x", "security.thing"}[o.n]
		unix.Lsetxattr(at, name, body()[:1], 0)
	case "removexattr":
		unix.Lremovexattr(at, []string{"user.x", "trusted.y"}[o.n%2])
	case "setcap":
		v := binary.LittleEndian.AppendUint32(nil, 0x02000001)
		v = append(v, make([]byte, 16)...)
		v[4] = byte(1 << o.n)
		unix.Lsetxattr(at, "security.capability", v, 0)
	case "acl":
		v := binary.LittleEndian.AppendUint32(nil, 2)
		for _, e := range [][2]uint16{{1, 7}, {2, 5}, {4, 5}, {0x10, 5}, {0x20, 1}} {
			v = binary.LittleEndian.AppendUint16(v, e[0])
			v = binary.LittleEndian.AppendUint16(v, e[1])
			id := uint32(1<<32 - 1)
			if e[0] == 2 {
				id = 42
			}
			v = binary.LittleEndian.AppendUint32(v, id)
		}
		unix.Lsetxattr(at, "system.posix_acl_access", v, 0)
	case "sparse":
		if f, err := os.OpenFile(at, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644); err == nil {
			if i, err := f.Stat(); err == nil && i.Mode().IsRegular() {
				f.WriteAt(body(), int64(o.n)*300_000)
				f.Truncate(int64(o.n)*300_000 + 500_000)
			}
			f.Close()
		}
	}
}
