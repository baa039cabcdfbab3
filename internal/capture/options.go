package capture

import "time"

// Options say how a directory or file of the host is captured. The zero Options
// capture all of it as it is.
//
// These extended attributes are never captured, because they belong to the host
// and not to the directory: security.selinux, security.ima, security.evm,
// security.apparmor, system.nfs4_acl and its kin, and all of btrfs., ceph.,
// cifs., gluster. and lustre. All others are, trusted.overlay. among them: in a
// directory of the host they are data.
type Options struct {
	// Include keeps only what matches one of these patterns, and the directories
	// that lead there; empty keeps all. The language is that of .dockerignore:
	// paths are relative to the directory, a pattern that matches a directory
	// holds for all below it, "!" takes away, the last match decides.
	Include []string
	// Exclude leaves out what matches, in the same language; "!" brings back.
	Exclude []string
	// Gitignore leaves out what the .gitignore files in the directory leave out,
	// as git does for a repository whose top it is. Files of git that lie
	// outside (a global ignore file, info/exclude, those of parent directories)
	// are not read, and .git is kept like any other name.
	Gitignore bool

	// Owner owns everything captured; nil keeps owners as they are.
	Owner *Owner

	// OneFileSystem keeps a directory on which something is mounted without what
	// it holds. Otherwise mounts are captured like everything else.
	OneFileSystem bool

	// CacheDir is a directory for stat caches: files that did not change since
	// they were captured before are not read again. Empty means no cache. What
	// is in it may be removed at any time. It is made when it is missing.
	CacheDir string

	// Workers is how many goroutines wait for the disk; zero means 16.
	Workers int

	// Progress is told from time to time how far the capture is, and at its end.
	// It is called by one goroutine at a time and should return soon.
	Progress func(Stats)

	// Now gives the time, as the file systems stamp it; nil means time.Now.
	Now func() time.Time
}

// Owner is who owns an entry.
type Owner struct{ UID, GID uint32 }

// Stats counts what a capture did.
type Stats struct {
	Entries int64 // names seen and kept
	Files   int64 // of these, regular files
	Bytes   int64 // sum of the sizes of these files

	ReadFiles int64 // files that were read
	ReadBytes int64 // bytes that were read; holes are not
	Cached    int64 // files that the stat cache answered for
}

// UpperOptions say how an overlay's upper directory is captured.
type UpperOptions struct {
	// UserXattrs says that the overlay was mounted with "userxattr": its marks
	// are user.overlay.*, not trusted.overlay.*.
	UserXattrs bool

	// Drop names what was made for the mount and is no change of a process.
	Drop []Stub

	// Progress is told from time to time how far the capture is, and at its end.
	Progress func(Stats)
}

// Stub is a mount point that was made because the base has none: an empty
// directory or an empty file. It is left out of the change set when it is still
// empty and the base lacks it, and its parent gets back the base's time of
// modification when nothing else in the parent changed.
type Stub struct {
	Path string // rooted, clean and free of symlinks
}
