package imagetest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
)

// Place is a source that is a sink too.
type Place interface {
	image.Source
	image.Sink
}

// Laws checks what every place keeps. empty makes a place with nothing in it;
// the places it makes need not know of each other.
func Laws(t *testing.T, empty func(t *testing.T) Place) {
	t.Run("what was copied in comes out", func(t *testing.T) { lawRoundTrip(t, empty(t)) })
	t.Run("a second copy sends nothing", func(t *testing.T) { lawNothingTwice(t, empty(t)) })
	t.Run("a tag moves and others stay", func(t *testing.T) { lawTags(t, empty(t)) })
	t.Run("wrong bytes do not get in", func(t *testing.T) { lawVerified(t, empty(t)) })
	t.Run("what is missing is not there", func(t *testing.T) { lawMissing(t, empty(t)) })
	t.Run("a cancelled copy ends", func(t *testing.T) { lawCancelled(t, empty(t)) })
}

func lawRoundTrip(t *testing.T, p Place) {
	ctx := t.Context()
	var m, back Memory
	for name, d := range map[string]image.Descriptor{"simple": Simple(t, &m), "multi": Multi(t, &m)} {
		if err := image.Copy(ctx, p, &m, d, name, image.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		got, err := p.Resolve(ctx, name)
		if err != nil || got.Digest != d.Digest || got.Size != d.Size || got.MediaType != d.MediaType {
			t.Fatalf("%s resolves to %+v, %v; want %+v", name, got, err, d)
		}
		if err := image.Copy(ctx, &back, p, got, name, image.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		want, err := image.Walk(ctx, &m, d)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range append(want.Blobs, want.Manifests...) {
			if _, err := image.ReadAll(ctx, &back, b, 1<<30); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := p.Resolve(ctx, "nosuch"); err == nil {
		t.Error("a name that was never given resolves")
	}
}

func lawNothingTwice(t *testing.T, p Place) {
	var m Memory
	d := Multi(t, &m)
	for i := range 2 {
		opened := 0
		src := image.OpenFunc(func(ctx context.Context, d image.Descriptor) (io.ReadCloser, error) {
			if !d.IsManifest() && !d.IsIndex() {
				opened++
			}
			return m.Open(ctx, d)
		})
		err := image.Copy(t.Context(), p, src, d, "x", image.CopyOptions{Concurrency: 1})
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 && opened > 0 {
			t.Errorf("the second copy read %d blobs", opened)
		}
	}
}

func lawTags(t *testing.T, p Place) {
	ctx := t.Context()
	var m Memory
	a, b := Simple(t, &m), Multi(t, &m)
	for _, step := range []struct {
		name string
		d    image.Descriptor
	}{{"stays", a}, {"moves", a}, {"moves", b}} {
		if err := image.Copy(ctx, p, &m, step.d, step.name, image.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]image.Descriptor{"stays": a, "moves": b} {
		if got, err := p.Resolve(ctx, name); err != nil || got.Digest != want.Digest {
			t.Errorf("%s is %s, %v; want %s", name, got.Digest, err, want.Digest)
		}
	}
}

func lawVerified(t *testing.T, p Place) {
	d := image.Describe(image.MediaTypeLayer, []byte("the right bytes"))
	for _, wrong := range []string{"the wrong bytes", "the right byte", "the right bytes and more", ""} {
		err := p.Push(t.Context(), d, func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(wrong)), nil
		})
		if !errors.Is(err, digest.ErrMismatch) {
			t.Errorf("%q was pushed for %q: %v", wrong, "the right bytes", err)
		}
	}
	missing, err := p.Missing(t.Context(), []image.Descriptor{d})
	if err != nil || len(missing) != 1 {
		t.Errorf("missing: %v, %v", missing, err)
	}
}

func lawMissing(t *testing.T, p Place) {
	d := image.Describe(image.MediaTypeLayer, []byte("nowhere"))
	rc, err := p.Open(t.Context(), d)
	if err == nil {
		rc.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
	m := image.Describe(image.MediaTypeManifest, []byte("nowhere"))
	if err := p.Tag(t.Context(), m, "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("tag: %v", err)
	}
}

func lawCancelled(t *testing.T, p Place) {
	ctx, cancel := context.WithCancel(t.Context())
	var m Memory
	d := Simple(t, &m)
	err := image.Copy(ctx, p, &m, d, "x", image.CopyOptions{Progress: func(image.Descriptor, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got, err := p.Resolve(t.Context(), "x"); err == nil {
		t.Errorf("a cancelled copy left the name: %v", got)
	}
}
