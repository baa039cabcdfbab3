package image

import (
	"context"
	"errors"
	"fmt"
)

// maxDepth is how many indexes may lie inside each other.
const maxDepth = 4

// Find reads the image that d names. When d is an index, the one for the
// platform p is chosen as [Select] does; nil stands for the host. When d is a
// manifest, and p is given, the image must be for p; without p it is taken
// whatever it is for.
func Find(ctx context.Context, src Opener, d Descriptor, p *Platform) (Image, error) {
	for range maxDepth {
		if !d.IsIndex() {
			return readFor(ctx, src, d, p)
		}
		x, err := ReadIndex(ctx, src, d)
		if err != nil {
			return Image{}, err
		}
		if d, err = Select(x, p); err != nil {
			return Image{}, err
		}
		d.Annotations = nil
	}
	return Image{}, fmt.Errorf("%w: more than %d indexes inside each other", ErrInvalid, maxDepth)
}

func readFor(ctx context.Context, src Opener, d Descriptor, p *Platform) (Image, error) {
	i, err := Read(ctx, src, d)
	if err != nil || p == nil {
		return i, err
	}
	if has := i.Config().Platform(); !accepts(*p, has) {
		return Image{}, &PlatformError{Want: FormatPlatform(*p), Available: []string{FormatPlatform(has)}}
	}
	return i, nil
}

// FindAll reads every image that d names, of all platforms, in the order of
// its index; attestations and artifacts that are no images are left out.
func FindAll(ctx context.Context, src Opener, d Descriptor) ([]Image, error) {
	var images []Image
	budget := maxNodes
	err := findAll(ctx, src, d, maxDepth, &budget, &images)
	return images, err
}

// maxNodes is how many manifests and indexes one name may stand for.
const maxNodes = 1000

var errTooMany = fmt.Errorf("%w: more than %d manifests in one index", ErrInvalid, maxNodes)

func findAll(ctx context.Context, src Opener, d Descriptor, depth int, budget *int, images *[]Image) error {
	if *budget--; *budget < 0 {
		return errTooMany
	}
	if d.IsManifest() {
		i, err := Read(ctx, src, d)
		var mt *MediaTypeError
		if d.Platform == nil && errors.As(err, &mt) {
			return nil // an artifact beside the images
		}
		if err == nil {
			*images = append(*images, i)
		}
		return err
	}
	if !d.IsIndex() {
		return &MediaTypeError{Got: d.MediaType, Want: "an image manifest or index"}
	}
	if depth == 0 {
		return fmt.Errorf("%w: more than %d indexes inside each other", ErrInvalid, maxDepth)
	}
	x, err := ReadIndex(ctx, src, d)
	if err != nil {
		return err
	}
	for _, e := range x.Manifests {
		if e.IsAttestation() || !e.IsManifest() && !e.IsIndex() {
			continue
		}
		if err := findAll(ctx, src, e, depth-1, budget, images); err != nil {
			return err
		}
	}
	return nil
}

// ReadIndex reads the index that d names, verified.
func ReadIndex(ctx context.Context, src Opener, d Descriptor) (Index, error) {
	body, err := ReadAll(ctx, src, d, MaxManifestSize)
	if err != nil {
		return Index{}, err
	}
	x, err := ParseIndex(d.MediaType, body)
	if err != nil {
		return Index{}, fmt.Errorf("index %s: %w", d.Digest, err)
	}
	return x, nil
}
