package store

import (
	"bytes"
	"testing"

	"github.com/inlaybuild/inlay/digest"
)

func FuzzUnpackDigests(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, digest.Size-1))
	f.Add(make([]byte, 3*digest.Size))
	f.Fuzz(func(t *testing.T, b []byte) {
		ds, err := unpackDigests(b)
		if (err == nil) != (len(b)%digest.Size == 0) {
			t.Fatal(err)
		}
		if err == nil && !bytes.Equal(packDigests(ds), b) {
			t.Fatal("differs")
		}
	})
}
