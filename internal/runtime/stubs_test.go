//go:build linux

package runtime_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/runtime"
)

// listing describes everything below dir: kinds, modes, owners, sizes, times,
// targets of links.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		target, _ := os.Readlink(path)
		stat := info.Sys().(*syscall.Stat_t)
		fmt.Fprintf(&b, "%s %v %d:%d %d %d %s\n", strings.TrimPrefix(path, dir), info.Mode(), stat.Uid, stat.Gid, stat.Nlink, info.ModTime().UnixNano(), target)
		return nil
	}))
	return b.String()
}

func age(t *testing.T, dir string) {
	t.Helper()
	var dirs []string
	must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error { dirs = append(dirs, path); return err }))
	for i := len(dirs) - 1; i >= 0; i-- {
		if info, err := os.Lstat(dirs[i]); err == nil && info.Mode()&fs.ModeSymlink == 0 {
			must(t, os.Chtimes(dirs[i], time.Unix(1000, 7), time.Unix(1000, 7)))
		}
	}
}

func TestMountPointsLeaveNoTrace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, []byte("x"), 0o644))
	mounts := []runtime.Mount{
		{Target: "/deep/er/still", Source: filepath.Dir(file)},
		{Target: "/deep/er/still2"}, {Target: "/f/i/l/e", Source: file}, {Target: "/dev/own"}, {Target: "/lnk/x/y"},
	}
	for name, prepare := range map[string]func(root string){
		"bare":   func(string) {},
		"no etc": func(root string) { must(t, os.Remove(filepath.Join(root, "etc"))) },
		"some there": func(root string) {
			for _, dir := range []string{"proc", "dev", "sys", "deep"} {
				must(t, os.Mkdir(filepath.Join(root, dir), 0o755))
			}
			must(t, os.WriteFile(filepath.Join(root, "etc/hosts"), nil, 0o644))
		},
		"systemd's resolv.conf": func(root string) {
			must(t, os.Symlink("../run/systemd/resolve/stub-resolv.conf", filepath.Join(root, "etc/resolv.conf")))
			must(t, os.Symlink("usr/lnk", filepath.Join(root, "lnk")))
		},
		"etc is a link": func(root string) {
			must(t, os.Remove(filepath.Join(root, "etc")))
			must(t, os.Symlink("/usr/etc/../etc", filepath.Join(root, "etc")))
			must(t, os.MkdirAll(filepath.Join(root, "usr/etc"), 0o755))
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			prepare(e.root)
			age(t, e.root)
			before := listing(t, e.root)
			p := e.process("cat /etc/hosts /etc/resolv.conf > /dev/null && cat /f/i/l/e /deep/er/still/file && stat -c %Y /")
			p.Mounts = mounts
			if out := e.output(p); !strings.HasPrefix(out, "xx") || !strings.Contains(out, "1000\n") {
				t.Errorf("%q", out)
			}
			if after := listing(t, e.root); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			p = e.process("cat /etc/absent")
			p.Args = []string{"/absent"}
			p.Mounts = mounts
			if _, _, err := e.run(p); err == nil {
				t.Error("started")
			}
			if after := listing(t, e.root); after != before {
				t.Errorf("after a failed start: before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

func TestWhatTheProcessDidStays(t *testing.T) {
	e := newEnv(t)
	must(t, os.Symlink("/run/resolve/conf", filepath.Join(e.root, "etc/resolv.conf")))
	age(t, e.root)
	e.output(e.process("echo x > /run/resolve/mine; echo y > /etc/other; rm /etc/resolv.conf; chmod 700 /run"))
	for path, want := range map[string]bool{"run/resolve/mine": true, "etc/other": true, "etc/resolv.conf": false, "etc/hosts": false, "run/resolve/conf": false, "proc": false} {
		if _, err := os.Lstat(filepath.Join(e.root, path)); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	if info, err := os.Stat(filepath.Join(e.root, "etc")); err != nil || time.Since(info.ModTime()) > time.Minute {
		t.Errorf("the process wrote into /etc, and its time is %v", info.ModTime())
	}
	if info, err := os.Stat(e.root); err != nil || info.ModTime().Unix() != 1000 {
		t.Errorf("the process did not write into /, and its time is %v", info.ModTime())
	}
}

// A root that tries to lead the engine outside: nothing on the host may change.
func TestHostileRoots(t *testing.T) {
	for name, prepare := range map[string]func(root, host string){
		"resolv.conf up":  func(root, host string) { link(t, "../../../../../../../.."+host+"/secret", root, "etc/resolv.conf") },
		"resolv.conf":     func(root, host string) { link(t, host+"/secret", root, "etc/resolv.conf") },
		"resolv.conf new": func(root, host string) { link(t, host+"/new", root, "etc/resolv.conf") },
		"etc":             func(root, host string) { must(t, os.RemoveAll(root+"/etc")); link(t, host, root, "etc") },
		"etc up": func(root, host string) {
			must(t, os.RemoveAll(root+"/etc"))
			link(t, "../../../../.."+host, root, "etc")
		},
		"proc":              func(root, host string) { link(t, host, root, "proc") },
		"proc to etc":       func(root, host string) { link(t, "/etc", root, "proc") },
		"dev":               func(root, host string) { link(t, host, root, "dev") },
		"sys":               func(root, host string) { link(t, host+"/new", root, "sys") },
		"loop":              func(root, host string) { link(t, "proc", root, "proc"); link(t, "hosts", root, "etc/hosts") },
		"proc is a file":    func(root, host string) { must(t, os.WriteFile(root+"/proc", []byte("x"), 0o644)) },
		"hosts is a dir":    func(root, host string) { must(t, os.Mkdir(root+"/etc/hosts", 0o755)) },
		"hosts is a fifo":   func(root, host string) { must(t, syscall.Mkfifo(root+"/etc/hosts", 0o644)) },
		"hosts is a device": func(root, host string) { must(t, syscall.Mknod(root+"/etc/hosts", syscall.S_IFCHR|0o600, 1<<8|8)) },
		"etc is a file": func(root, host string) {
			must(t, os.RemoveAll(root+"/etc"))
			must(t, os.WriteFile(root+"/etc", nil, 0o644))
		},
		"dev/pts": func(root, host string) { must(t, os.Mkdir(root+"/dev", 0o755)); link(t, host, root, "dev/pts") },
		"mount":   func(root, host string) { link(t, host, root, "mnt") },
		"work":    func(root, host string) { link(t, host, root, "work") },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			host := t.TempDir()
			must(t, os.WriteFile(filepath.Join(host, "secret"), []byte("secret"), 0o600))
			age(t, host)
			prepare(e.root, host)
			before, etc := listing(t, host), listing(t, "/etc")
			root := listing(t, e.root)
			p := e.process("cat /etc/resolv.conf /etc/hosts; echo overwritten > /etc/resolv.conf; rm -f " + host + "/secret")
			p.Mounts = []runtime.Mount{{Target: "/mnt/new/deep"}}
			out, exit, err := e.run(p)
			t.Logf("%v %v", exit, err)
			if strings.Contains(out, "secret\n") || listing(t, host) != before {
				t.Errorf("the host was reached: %q\n%s", out, listing(t, host))
			}
			if listing(t, "/etc") != etc {
				t.Error("/etc of the host was reached")
			}
			if after := listing(t, e.root); after != root {
				t.Errorf("traces in the root: before\n%s\nafter\n%s", root, after)
			}
			if b, _ := os.ReadFile(filepath.Join(host, "secret")); string(b) != "secret" {
				t.Errorf("the host's file is %q", b)
			}
			p = e.process("true")
			p.Dir = "/srv/new"
			_, exit, err = e.run(p)
			t.Logf("in /srv/new: %v %v", exit, err)
			if listing(t, host) != before {
				t.Error("the working directory was made on the host")
			}
			if left := e.leftovers(); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func link(t *testing.T, target, root, name string) {
	t.Helper()
	must(t, os.Symlink(target, filepath.Join(root, name)))
}
