package runtime

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/moby/sys/user"
)

// User is who a process is, in numbers.
type User struct {
	UID, GID uint32
	Groups   []uint32 // supplementary groups
	Home     string   // home directory; not part of the identity: callers set HOME from it
}

// maxAccounts bounds what is read of a passwd or group file.
const maxAccounts = 16 << 20

// maxID is the largest uid and gid: 2^32-1 means "unchanged" to the kernel, and
// 2^31 and above are refused by runc.
const maxID = 1<<31 - 1

// LoginShell gives the shell that /etc/passwd of a root names for a user; "" if it
// names none, or one that only says that nobody can log in.
func LoginShell(uid uint32, passwd io.Reader) string {
	lines, err := user.ParsePasswdFilter(io.LimitReader(passwd, maxAccounts), func(u user.User) bool { return u.Uid == int(uid) })
	if err != nil || len(lines) == 0 {
		return ""
	}
	shell := lines[0].Shell
	switch path.Base(shell) {
	case "nologin", "false", "true", "sync", "halt", "shutdown", ".":
		return ""
	}
	if !path.IsAbs(shell) {
		return ""
	}
	return shell
}

// ResolveUser finds who spec names: "user", "uid", "user:group", "uid:gid" or a
// mixture, as the USER line of a Dockerfile has it; "" is root. Names are looked
// up in passwd and group, which hold /etc/passwd and /etc/group of the root; nil
// for a file that does not exist. Numbers need not be in there. Supplementary
// groups are those that list the user, unless a group was given. Docker's rules:
// github.com/moby/sys/user.
func ResolveUser(spec string, passwd, group io.Reader) (User, error) {
	for part := range strings.SplitSeq(spec, ":") {
		if n, err := strconv.ParseInt(part, 10, 64); (err == nil || errors.Is(err, strconv.ErrRange)) && (n < 0 || n > maxID) {
			return User{}, fmt.Errorf("user %q: %s is not a number from 0 to %d", spec, part, maxID)
		}
	}
	name, groupName, hasGroup := strings.Cut(spec, ":")
	if strings.Contains(groupName, ":") || (hasGroup && (name == "" || groupName == "")) {
		return User{}, fmt.Errorf("user %q: want user, uid, user:group or uid:gid", spec)
	}
	if passwd == nil {
		passwd = strings.NewReader("")
	}
	if group == nil {
		group = strings.NewReader("")
	}
	found, err := user.GetExecUser(spec, &user.ExecUser{Home: "/"},
		io.LimitReader(passwd, maxAccounts), io.LimitReader(group, maxAccounts))
	switch {
	case errors.Is(err, user.ErrNoPasswdEntries):
		return User{}, fmt.Errorf("user %q: %s has no line in /etc/passwd: use a name from there, or a number", spec, name)
	case errors.Is(err, user.ErrNoGroupEntries):
		return User{}, fmt.Errorf("user %q: %s has no line in /etc/group: use a name from there, or a number", spec, groupName)
	case err != nil:
		return User{}, fmt.Errorf("user %q: %w", spec, err)
	}
	who := User{UID: uint32(found.Uid), GID: uint32(found.Gid), Home: found.Home}
	for _, gid := range found.Sgids {
		if gid >= 0 && gid <= maxID {
			who.Groups = append(who.Groups, uint32(gid))
		}
	}
	return who, nil
}
