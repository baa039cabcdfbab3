//go:build linux && cgo

package main

import (
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// detach lets go of the mounts that this namespace was born with, but those that
// are needed to clean up. Otherwise a root that the engine unmounts meanwhile
// would stay alive, unseen, until this process ends.
func detach(state string) {
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return m.Mountpoint == "/" || below(state, m.Mountpoint) ||
			below(m.Mountpoint, "/proc") || below(m.Mountpoint, "/sys") || below(m.Mountpoint, "/dev"), false
	})
	if err != nil {
		return // it is a courtesy only
	}
	for _, m := range mounts {
		_ = unix.Unmount(m.Mountpoint, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	}
}

func below(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }
