package main

import (
	"encoding/json"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/image"
)

// Of an image that a daemon wrote nobody knows which layers it has: none is not said.
func TestLayersAreCountedWhereTheyAreKnown(t *testing.T) {
	d := digest.Of([]byte("image"))
	e := engine.Exported{Place: "host/app:1", Image: &image.Descriptor{Digest: d}, Platforms: []string{"linux/amd64"}}
	for _, c := range []struct {
		reused     int
		line, json string
	}{
		{0, "host/app:1  " + d.String() + "  0 layers", `{"place":"host/app:1","manifest":"` + d.String() + `","reusedLayers":0,"platforms":["linux/amd64"]}`},
		{-1, "host/app:1  " + d.String() + "  by the daemon", `{"place":"host/app:1","manifest":"` + d.String() + `","platforms":["linux/amd64"]}`},
	} {
		e.Reused = c.reused
		if got := written(e); got != c.line {
			t.Errorf("%d layers: %q, want %q", c.reused, got, c.line)
		}
		if got, err := json.Marshal(exportedOf(e)); err != nil || string(got) != c.json {
			t.Errorf("%d layers: %s %v, want %s", c.reused, got, err, c.json)
		}
	}
}
