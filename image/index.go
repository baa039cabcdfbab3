package image

import (
	"fmt"
	"slices"
)

// Index names images, most often one for each platform. OCI image
// specification, "image index"; Docker's manifest list has the same members.
type Index struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Manifests     []Descriptor      `json:"manifests"`
	Subject       *Descriptor       `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// ParseIndex reads an index that was served, or named, as mediaType, as
// strictly as [ParseManifest].
func ParseIndex(mediaType string, body []byte) (Index, error) {
	var x Index
	err := parseTyped(mediaType, body, MediaTypeIndex, "an image index", "layers", &x)
	if err != nil {
		return Index{}, err
	}
	if x.MediaType == "" {
		x.MediaType = mediaType
	}
	for i, d := range x.Manifests {
		if err := d.check(); err != nil {
			return Index{}, fmt.Errorf("manifest %d: %w", i, err)
		}
	}
	return x, nil
}

// Bytes gives the canonical encoding, in which manifests stay in their order.
func (x Index) Bytes() ([]byte, error) {
	x.SchemaVersion = 2
	if x.Manifests == nil {
		x.Manifests = []Descriptor{}
	}
	return marshal(x)
}

// Sorted gives x with its manifests in an order that depends on nothing but
// what they are, each once.
func (x Index) Sorted() Index {
	m := slices.Clone(x.Manifests)
	slices.SortStableFunc(m, Descriptor.compare)
	x.Manifests = slices.CompactFunc(m, func(a, b Descriptor) bool { return a.compare(b) == 0 })
	return x
}

const attestationAnnotation = "vnd.docker.reference.type"

// IsAttestation tells whether d, out of an index, is a statement about an image
// and no image: BuildKit gives those the platform unknown/unknown.
func (d Descriptor) IsAttestation() bool {
	if d.Annotations[attestationAnnotation] != "" {
		return true
	}
	return d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
}
