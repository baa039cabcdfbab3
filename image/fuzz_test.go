package image_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
)

func FuzzParseManifest(f *testing.F) {
	f.Add(manifest(f, func(map[string]any) {}))
	f.Add([]byte(`{"schemaVersion":2,"config":{},"layers":[null]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := image.ParseManifest(image.MediaTypeManifest, b)
		if err != nil {
			return
		}
		body, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		again, err := image.ParseManifest(image.MediaTypeManifest, body)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if twice, _ := again.Bytes(); !bytes.Equal(body, twice) {
			t.Fatalf("%s then %s", body, twice)
		}
	})
}

func FuzzParseIndex(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"mediaType":"` + image.MediaTypeManifest + `","digest":"` +
		digest.Of(nil).String() + `","size":3,"platform":{"os":"linux","architecture":"amd64"},"annotations":{"a":"b"}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := image.ParseIndex(image.MediaTypeIndex, b)
		if err != nil {
			return
		}
		image.Select(x, nil)
		image.Named(x, "")
		body, err := x.Sorted().Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := image.ParseIndex(image.MediaTypeIndex, body); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
	})
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(dockerConfig))
	f.Add(image.NewConfig(image.Platform{OS: "linux", Architecture: "amd64"}).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := image.ParseConfig(b)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Bytes(), b) {
			t.Fatal("an unedited config has other bytes")
		}
		e, err := c.Append(digest.Of(b), image.History{CreatedBy: "x"})
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if e, err = e.WithRun(e.Run()); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if e, err = e.WithCreated(time.Unix(0, 0)); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if ids := e.DiffIDs(); len(ids) != len(c.DiffIDs())+1 {
			t.Fatalf("%d diff ids became %d", len(c.DiffIDs()), len(ids))
		}
	})
}
