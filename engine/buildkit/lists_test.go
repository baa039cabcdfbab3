package buildkit

import (
	"fmt"
	"testing"

	fstypes "github.com/tonistiigi/fsutil/types"
)

// What is remembered of a list is the list, and an empty one is no missing one.
func TestAListIsRememberedAsItWas(t *testing.T) {
	large := make([]*fstypes.Stat, 2000)
	for i := range large {
		large[i] = &fstypes.Stat{Path: fmt.Sprintf("é%d", i), Mode: 0o644, Size: int64(i), ModTime: -1, Xattrs: map[string][]byte{"user.x": {0, 0xff}}}
	}
	for _, list := range [][]*fstypes.Stat{nil, large[:1], large} {
		b, err := encodeList(list)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeList(b)
		if err != nil || got == nil || len(got) != len(list) {
			t.Fatalf("%d of %d are back: %v", len(got), len(list), err)
		}
		for i := range list {
			if !got[i].EqualVT(list[i]) {
				t.Errorf("%v is %v", list[i], got[i])
			}
		}
		if len(list) == len(large) && len(b) > 40<<10 {
			t.Errorf("%d bytes for %d files", len(b), len(list))
		}
	}
	for _, bad := range []string{"", "{}", "[", "\x28\xb5\x2f\xfd"} {
		if _, err := decodeList([]byte(bad)); err == nil {
			t.Errorf("%q is a list", bad)
		}
	}
}
