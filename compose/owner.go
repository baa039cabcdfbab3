package compose

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// LookupOwner reads an owner: "uid", "uid:gid", "user", "user:group" or a mix of
// these. Names are looked up in /etc/passwd and /etc/group of t, whose contents
// are opened from c. Without a group a name gets that user's own group, a number
// gets the group of the same number.
func LookupOwner(ctx context.Context, spec string, t tree.Tree, c tree.Contents) (Owner, error) {
	who, group, hasGroup := strings.Cut(spec, ":")
	if who == "" {
		return Owner{}, fmt.Errorf("owner %q: want user or user:group, names or numbers", spec)
	}
	var o Owner
	var err error
	if isNumber(who) {
		o.UID, err = parseID(who)
		o.GID = o.UID
	} else {
		o, err = lookupUser(ctx, who, t, c)
	}
	if err != nil || !hasGroup || group == "" {
		return o, err
	}
	if isNumber(group) {
		o.GID, err = parseID(group)
		return o, err
	}
	file, err := readAccounts(ctx, t, c, "etc/group")
	if err != nil {
		return Owner{}, fmt.Errorf("group %q: %w", group, err)
	}
	fields := account(file, group, 3)
	if fields == nil {
		return Owner{}, fmt.Errorf("group %q is not in /etc/group of the destination; use its number", group)
	}
	if o.GID, err = parseID(fields[2]); err != nil {
		return Owner{}, fmt.Errorf("group %q in /etc/group of the destination: %w", group, err)
	}
	return o, nil
}

func lookupUser(ctx context.Context, name string, t tree.Tree, c tree.Contents) (Owner, error) {
	file, err := readAccounts(ctx, t, c, "etc/passwd")
	if err != nil {
		return Owner{}, fmt.Errorf("user %q: %w", name, err)
	}
	fields := account(file, name, 4)
	if fields == nil {
		return Owner{}, fmt.Errorf("user %q is not in /etc/passwd of the destination; use its number", name)
	}
	var o Owner
	if o.UID, err = parseID(fields[2]); err == nil {
		o.GID, err = parseID(fields[3])
	}
	if err != nil {
		return Owner{}, fmt.Errorf("user %q in /etc/passwd of the destination: %w", name, err)
	}
	return o, nil
}

// account gives the fields of the first line of a name, which has so many at least;
// nil if there is none.
func account(file []byte, name string, fields int) []string {
	for line := range strings.Lines(string(file)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if f[0] == name && len(f) >= fields {
			return f
		}
	}
	return nil
}

// maxAccounts is how many bytes of /etc/passwd or /etc/group are read: the tree
// may be anybody's.
const maxAccounts = 16 << 20

func readAccounts(ctx context.Context, t tree.Tree, c tree.Contents, name string) ([]byte, error) {
	f, err := tree.FS(ctx, t, c).Open(name)
	if err != nil {
		return nil, fmt.Errorf("the destination's /%s cannot be read (%w); use numbers", name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAccounts+1))
	if err == nil && len(b) > maxAccounts {
		err = fmt.Errorf("it has more than %d bytes", maxAccounts)
	}
	if err != nil {
		return nil, fmt.Errorf("the destination's /%s cannot be read (%w); use numbers", name, err)
	}
	return b, nil
}

// maxID is the greatest user or group number: the next one means "unchanged" to
// chown(2).
const maxID = 1<<32 - 2

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n > maxID {
		return 0, fmt.Errorf("%q is not a possible number of a user or a group: 0 to %d are", s, maxID)
	}
	return uint32(n), nil
}
