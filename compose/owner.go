package compose

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/tree"
	"github.com/moby/sys/user"
)

// LookupOwner reads an owner: "uid", "uid:gid", "user", "user:group" or a mix of
// these. Names are looked up in /etc/passwd and /etc/group of t, whose contents
// are opened from c. Without a group a name gets that user's own group, a number
// gets the group of the same number.
func LookupOwner(ctx context.Context, spec string, t tree.Tree, c tree.Contents) (Owner, error) {
	who, group, hasGroup := strings.Cut(spec, ":")
	var o Owner
	uid, err := parseID(who)
	if err == nil {
		o = Owner{uid, uid}
	} else if o, err = lookupUser(ctx, who, t, c); err != nil {
		return Owner{}, err
	}
	if !hasGroup || group == "" {
		return o, nil
	}
	if o.GID, err = parseID(group); err == nil {
		return o, nil
	}
	file, err := readAccounts(ctx, t, c, "etc/group")
	if err != nil {
		return Owner{}, fmt.Errorf("group %q: %w", group, err)
	}
	found, err := user.ParseGroupFilter(bytes.NewReader(file), func(g user.Group) bool { return g.Name == group })
	if err != nil || len(found) == 0 {
		return Owner{}, fmt.Errorf("group %q is not in /etc/group of the destination; use its number", group)
	}
	o.GID = uint32(found[0].Gid)
	return o, nil
}

func lookupUser(ctx context.Context, name string, t tree.Tree, c tree.Contents) (Owner, error) {
	file, err := readAccounts(ctx, t, c, "etc/passwd")
	if err != nil {
		return Owner{}, fmt.Errorf("user %q: %w", name, err)
	}
	found, err := user.ParsePasswdFilter(bytes.NewReader(file), func(u user.User) bool { return u.Name == name })
	if err != nil || len(found) == 0 {
		return Owner{}, fmt.Errorf("user %q is not in /etc/passwd of the destination; use its number", name)
	}
	return Owner{uint32(found[0].Uid), uint32(found[0].Gid)}, nil
}

func readAccounts(ctx context.Context, t tree.Tree, c tree.Contents, name string) ([]byte, error) {
	b, err := fs.ReadFile(tree.FS(ctx, t, c), name)
	if err != nil {
		return nil, fmt.Errorf("the destination's /%s cannot be read (%w); use numbers", name, err)
	}
	return b, nil
}

// maxID is the greatest user or group number: the next one means "unchanged" to
// chown(2).
const maxID = 1<<32 - 2

func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number of a user or a group", s)
	}
	if n > maxID {
		return 0, fmt.Errorf("%d is not a possible number of a user or a group", n)
	}
	return uint32(n), nil
}
