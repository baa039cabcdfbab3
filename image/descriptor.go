package image

import (
	"fmt"
	"maps"
	"slices"

	"github.com/inlaybuild/inlay/digest"
)

// DiffID is the digest of a layer's uncompressed tar.
type DiffID = digest.Digest

// Descriptor names a blob: its type, its digest and its size in bytes. The
// other fields are what the one who names it says about it. OCI image
// specification, "content descriptors".
type Descriptor struct {
	MediaType    string            `json:"mediaType,omitempty"`
	Digest       digest.Digest     `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Data         []byte            `json:"data,omitempty"`
	Platform     *Platform         `json:"platform,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
}

// Describe names b, a body of the given media type.
func Describe(mediaType string, b []byte) Descriptor {
	return Descriptor{MediaType: mediaType, Digest: digest.Of(b), Size: int64(len(b))}
}

// WithAnnotation gives d with one annotation more; d stays what it is. An
// empty value takes the annotation away.
func (d Descriptor) WithAnnotation(key, value string) Descriptor {
	a := maps.Clone(d.Annotations)
	if a == nil {
		a = map[string]string{}
	}
	a[key] = value
	if value == "" {
		delete(a, key)
	}
	if len(a) == 0 {
		a = nil
	}
	d.Annotations = a
	return d
}

// Bare gives d with no more than media type, digest and size.
func (d Descriptor) Bare() Descriptor {
	return Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

func (d Descriptor) check() error {
	switch {
	case d.Digest.IsZero():
		return fmt.Errorf("%w: a descriptor without a digest", ErrInvalid)
	case d.Size < 0:
		return fmt.Errorf("%w: %s has the size %d", ErrInvalid, d.Digest, d.Size)
	case d.MediaType == "":
		return fmt.Errorf("%w: %s has no media type", ErrInvalid, d.Digest)
	}
	return nil
}

// compare is a total order for output that does not depend on the order of the
// input.
func (d Descriptor) compare(e Descriptor) int {
	if c := d.Digest.Compare(e.Digest); c != 0 {
		return c
	}
	return slices.Compare(pairs(d.Annotations), pairs(e.Annotations))
}

func pairs(m map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k, m[k])
	}
	return out
}
