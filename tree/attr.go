package tree

import (
	"fmt"
	"time"
)

// Mode is the twelve bits of permission, set-id and sticky of an entry, as
// chmod(2) takes them.
type Mode uint16

// The bits of a [Mode] beyond permissions, and all of them.
const (
	SetUID  Mode = 0o4000
	SetGID  Mode = 0o2000
	Sticky  Mode = 0o1000
	ModeAll Mode = 0o7777
)

// Attr is what every entry has beside its content. It is comparable.
type Attr struct {
	Mode    Mode
	UID     uint32
	GID     uint32
	ModTime Time
	Xattrs  Xattrs
}

// check tells of values that no file system has.
func (a Attr) check() error {
	if a.Mode > ModeAll {
		return fmt.Errorf("mode %o: at most %o is possible", a.Mode, ModeAll)
	}
	if a.ModTime.Nsec >= 1e9 {
		return fmt.Errorf("%d nanoseconds are more than a second", a.ModTime.Nsec)
	}
	return nil
}

// Time is a time of modification: seconds and nanoseconds since the epoch. The
// zero Time is the epoch.
type Time struct {
	Sec  int64
	Nsec uint32 // below 1e9
}

// TimeOf gives the Time of t.
func TimeOf(t time.Time) Time {
	return Time{Sec: t.Unix(), Nsec: uint32(t.Nanosecond())}
}

// Std gives the time as the standard library has it, in UTC.
func (t Time) Std() time.Time {
	return time.Unix(t.Sec, int64(t.Nsec)).UTC()
}
