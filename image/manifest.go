package image

import (
	"encoding/json"
	"fmt"
)

// Manifest names the config and the layers of one image. OCI image
// specification, "image manifest"; Docker's image manifest version 2, schema 2,
// has the same members.
type Manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType,omitempty"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        Descriptor        `json:"config"`
	Layers        []Descriptor      `json:"layers"`
	Subject       *Descriptor       `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// ParseManifest reads a manifest that was served, or named, as mediaType. It
// refuses with [ErrMediaType] a body of another type, and with [ErrInvalid] one
// that could be read as two things (an index too, or a member twice), or whose
// descriptors lack a digest or have a negative size.
func ParseManifest(mediaType string, body []byte) (Manifest, error) {
	var m Manifest
	err := parseTyped(mediaType, body, MediaTypeManifest, "an image manifest", "manifests", &m)
	if err != nil {
		return Manifest{}, err
	}
	if m.MediaType == "" {
		m.MediaType = mediaType
	}
	if err := m.Config.check(); err != nil {
		return Manifest{}, fmt.Errorf("config: %w", err)
	}
	for i, d := range m.Layers {
		if err := d.check(); err != nil {
			return Manifest{}, fmt.Errorf("layer %d: %w", i, err)
		}
	}
	return m, nil
}

// parseTyped decodes a manifest or an index: want is its OCI media type, other
// the member that only the other of the two has.
func parseTyped(mediaType string, body []byte, want, words, other string, v any) error {
	if ociType(mediaType) != want {
		return &MediaTypeError{Got: mediaType, Want: words}
	}
	if len(body) > MaxManifestSize {
		return fmt.Errorf("%w: %d bytes where at most %d are read", ErrTooLarge, len(body), MaxManifestSize)
	}
	o, err := parseObject(body, "schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "annotations")
	if err != nil {
		return err
	}
	var version int
	var inner string
	if err := o.get("schemaVersion", &version); err != nil {
		return err
	}
	if err := o.get("mediaType", &inner); err != nil {
		return err
	}
	_, fsLayers := o["fsLayers"]
	_, ambiguous := o[other]
	switch {
	case version == 1 || fsLayers:
		return &MediaTypeError{Got: mediaTypeDockerSchema1Prefix + "json", Want: words}
	case inner != "" && inner != mediaType:
		return fmt.Errorf("%w: %q inside, %q outside", ErrMediaType, clip(inner), mediaType)
	case ambiguous:
		return fmt.Errorf("%w: %s with the member %q", ErrInvalid, words, other)
	case version != 2:
		return fmt.Errorf("%w: schemaVersion %d where 2 was due", ErrInvalid, version)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// Bytes gives the canonical encoding. It is not the body that the manifest was
// parsed from, whose digest it may not have.
func (m Manifest) Bytes() ([]byte, error) {
	m.SchemaVersion = 2
	if m.Layers == nil {
		m.Layers = []Descriptor{}
	}
	return marshal(m)
}
