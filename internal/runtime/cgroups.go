//go:build linux

package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupRoot is where every distribution mounts cgroups.
const cgroupRoot = "/sys/fs/cgroup"

// cgroupsWritable reports whether a cgroup can be made here. In a container it
// often cannot.
func cgroupsWritable() bool {
	if os.Geteuid() != 0 {
		return false
	}
	dirs, err := hierarchies()
	if err != nil || len(dirs) == 0 {
		return false
	}
	for _, dir := range dirs {
		var fs unix.Statfs_t
		if unix.Statfs(dir, &fs) != nil || fs.Flags&unix.ST_RDONLY != 0 || unix.Access(dir, unix.W_OK) != nil {
			return false
		}
	}
	return true
}

// hierarchies lists the mounted cgroup hierarchies: one with cgroup v2, one for
// each controller with v1.
func hierarchies() ([]string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(cgroupRoot, &fs); err != nil {
		return nil, err
	}
	if fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return []string{cgroupRoot}, nil
	}
	entries, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, entry := range entries {
		dir := filepath.Join(cgroupRoot, entry.Name())
		if unix.Statfs(dir, &fs) == nil && (fs.Type == unix.CGROUP_SUPER_MAGIC || fs.Type == unix.CGROUP2_SUPER_MAGIC) {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

// removeCgroups removes the cgroup of that name from all hierarchies, and ends
// what still runs in it.
func removeCgroups(name string) error {
	dirs, err := hierarchies()
	if err != nil {
		return nil // no cgroups at all
	}
	deadline := time.Now().Add(5 * time.Second)
	for _, dir := range dirs {
		dir = filepath.Join(dir, name)
		for unix.Access(dir, unix.F_OK) == nil { // a read-only hierarchy refuses also to remove what is not there
			err := unix.Rmdir(dir)
			if err == nil || errors.Is(err, unix.ENOENT) {
				break
			}
			if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
				return fmt.Errorf("removing cgroup %s: %w", dir, err)
			}
			killCgroup(dir)
			time.Sleep(2 * time.Millisecond)
		}
	}
	return nil
}

func killCgroup(dir string) {
	if os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0) == nil {
		return
	}
	procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(procs)) {
		if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 1 {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}
