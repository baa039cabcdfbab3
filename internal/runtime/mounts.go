//go:build linux

package runtime

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// mounts lists what is mounted in the root, in order: docker's defaults, the
// files of etc, and the process' own.
func mounts(p *Process, etc map[string]string, cgroups bool) ([]specs.Mount, error) {
	list := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
	}
	if cgroups {
		list = append(list, specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"}})
	}
	names := make([]string, 0, len(etc))
	for name := range etc {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		list = append(list, specs.Mount{
			Destination: name, Type: "bind", Source: etc[name],
			Options: []string{"bind", "rprivate", "ro", "nosuid", "nodev", "noexec"},
		})
	}
	for _, m := range p.Mounts {
		mount, err := m.spec()
		if err != nil {
			return nil, err
		}
		// A later mount at the same place is the only one that shows.
		list = slices.DeleteFunc(list, func(old specs.Mount) bool { return old.Destination == mount.Destination })
		list = append(list, mount)
	}
	return list, nil
}

func (m Mount) spec() (specs.Mount, error) {
	target := path.Join("/", m.Target)
	if target == "/" {
		return specs.Mount{}, fmt.Errorf("mount of %q: the target must be a path below /", m.Source)
	}
	access := "rw"
	if m.ReadOnly {
		access = "ro"
	}
	if m.Source == "" {
		mode := "1777"
		if m.Mode != 0 {
			mode = strconv.FormatUint(uint64(m.Mode.Perm())|special(m.Mode), 8)
		}
		options := []string{"nosuid", "nodev", access, "mode=" + mode}
		if m.Size > 0 {
			options = append(options, "size="+strconv.FormatInt(m.Size, 10))
		}
		return specs.Mount{Destination: target, Type: "tmpfs", Source: "tmpfs", Options: options}, nil
	}
	source, err := filepath.Abs(m.Source)
	if err != nil {
		return specs.Mount{}, fmt.Errorf("mount at %s: %w", target, err)
	}
	if _, err := os.Stat(source); err != nil {
		return specs.Mount{}, fmt.Errorf("mount at %s: %w", target, err)
	}
	return specs.Mount{Destination: target, Type: "bind", Source: source, Options: []string{"rbind", "rprivate", access}}, nil
}

// special gives the set-id and sticky bits of mode as the kernel has them.
func special(mode os.FileMode) uint64 {
	var bits uint64
	if mode&os.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if mode&os.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if mode&os.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}
