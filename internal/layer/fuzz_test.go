package layer_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/inlaybuild/inlay/internal/layer"
)

// Whatever is read can be written, and is read as the same again. What is
// covered depends on goroutines: run it with -fuzzminimizetime=5x.
func FuzzRead(f *testing.F) {
	f.Add(pack(f, "d/", "d/f: content", "l = d/f", ".wh.x", "d/.wh..wh..opq", "s -> t"))
	f.Add(pack(f, "b = a", "a: x", ".wh.d", "d/f", "c = /below"))
	f.Add(withXattr(f, "value"))
	f.Add(sparse(f, 5000, "hole"))
	limits := layer.Limits{MaxBytes: 1 << 20, MaxEntries: 1000, MaxMetadata: 1 << 20}
	f.Fuzz(func(t *testing.T, b []byte) {
		// Sums would stop nearly all that is tried.
		for at := 0; at+512 <= len(b); at += 512 {
			if string(b[at+257:at+262]) == "ustar" {
				b = bytes.Clone(b)
				fixSum(b[at : at+512])
			}
		}
		m := newMemory()
		cs, _, err := layer.Read(t.Context(), bytes.NewReader(b), layer.ReadOptions{Blobs: m, Limits: limits})
		if err != nil {
			if !cs.IsEmpty() {
				t.Fatal("half a change set")
			}
			return
		}
		var w bytes.Buffer
		if _, err := layer.Write(t.Context(), &w, cs, layer.WriteOptions{Open: m.Open}); err != nil {
			t.Fatal(err)
		}
		again, _, err := layer.Read(t.Context(), &w, layer.ReadOptions{Blobs: m, Limits: layer.Limits{}})
		if err != nil || !slices.Equal(listing(cs), listing(again)) {
			t.Fatalf("%v\n%q\n%q", err, listing(cs), listing(again))
		}
	})
}
