package image

import (
	"fmt"
	"slices"
)

const (
	// AnnotationRefName names an image in a layout: a tag.
	AnnotationRefName = "org.opencontainers.image.ref.name"
	// AnnotationImageName names an image in full, as containerd and Docker
	// write it beside [AnnotationRefName].
	AnnotationImageName = "io.containerd.image.name"
)

// Names gives what an entry of a layout's index is called.
func (d Descriptor) Names() []string {
	var names []string
	for _, key := range []string{AnnotationRefName, AnnotationImageName} {
		if n := d.Annotations[key]; n != "" {
			names = append(names, n)
		}
	}
	return names
}

// Named chooses the image called name from x, the index of a layout. The empty
// name is that of the only image. A digest names the entry that has it. The
// error is a [*RefError].
func Named(x Index, name string) (Descriptor, error) {
	var found []Descriptor
	var available []string
	for _, d := range x.Manifests {
		if d.IsAttestation() || !d.IsManifest() && !d.IsIndex() {
			continue
		}
		names := d.Names()
		if len(names) == 0 {
			names = []string{d.Digest.String()}
		}
		available = append(available, names[0])
		match := name == "" || slices.Contains(names, name) || d.Digest.String() == name
		same := func(e Descriptor) bool { return e.Digest == d.Digest }
		if match && !slices.ContainsFunc(found, same) {
			found = append(found, d)
		}
	}
	if len(found) > 1 && name != "" {
		return Descriptor{}, fmt.Errorf("%w: %q names %d images: choose one by its digest, as %s", ErrInvalid, clip(name), len(found), found[0].Digest)
	}
	if len(found) != 1 {
		slices.Sort(available)
		return Descriptor{}, &RefError{Want: name, Available: slices.Compact(available)}
	}
	d := found[0].Bare()
	d.Platform = found[0].Platform
	return d, nil
}
