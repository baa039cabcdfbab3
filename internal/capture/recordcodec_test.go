package capture

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"github.com/inlaybuild/inlay/digest"
)

func FuzzRecords(f *testing.F) {
	r := record{inode: inode{8, 1, 42}, size: 6, mtime: stamp{1, 2}, ctime: stamp{3, 4}, digest: digest.Of(nil), plain: true}
	f.Add(encodeRecords([]record{r}))
	f.Add(encodeRecords(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, digest.Of(b).Append(slices.Clone(b))} {
			records, err := decodeRecords(b)
			if err == nil && !bytes.Equal(encodeRecords(records), b) {
				t.Fatal("another encoding")
			}
		}
	})
}

func TestRecordsHaveTheWrittenForm(t *testing.T) {
	r := record{inode: inode{8, 1, 42}, size: 6, mtime: stamp{1, 2}, ctime: stamp{3, 4}, digest: digest.Of(nil), plain: true}
	b := encodeRecords([]record{r})
	want := hex.EncodeToString([]byte(recordMagic)) + "08000000" + "01000000" + "2a00000000000000" + "0600000000000000" +
		"0100000000000000" + "02000000" + "0300000000000000" + "04000000" + "01" + digest.Of(nil).Hex() + digest.Of(b[:len(b)-32]).Hex()
	if got := hex.EncodeToString(b); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func FuzzDirents(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x18\x00\x08ab\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := appendDirents(nil, b)
		for _, e := range list {
			if e.name == "" || e.name == "." || e.name == ".." {
				t.Fatal(list, err)
			}
		}
	})
}
