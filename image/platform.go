package image

import (
	"fmt"
	"slices"

	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Platform is an operating system and a processor that an image is for.
type Platform = ocispec.Platform

// ParsePlatform reads "linux/amd64", "linux/arm/v7", or a part of it, which
// this host completes.
func ParsePlatform(s string) (Platform, error) {
	p, err := platforms.Parse(s)
	if err != nil {
		return Platform{}, fmt.Errorf("platform %q: want one like linux/amd64 or linux/arm/v7: %w", clip(s), err)
	}
	return platforms.Normalize(p), nil
}

// HostPlatform is the platform of this host.
func HostPlatform() Platform {
	p := platforms.DefaultSpec()
	if p.OS == "darwin" {
		p.OS = "linux" // images are for Linux on every host but Windows
	}
	return platforms.Normalize(p)
}

// FormatPlatform gives the form that [ParsePlatform] reads.
func FormatPlatform(p Platform) string { return platforms.FormatAll(platforms.Normalize(p)) }

// Select chooses from x the image for a platform; nil stands for the host. The
// rules are containerd's: arm64 also runs arm/v8 and below, arm/v7 also v6 and
// v5, amd64 also 386, the closest wins, and of equals the first. Attestations
// are passed over. An entry without a platform is taken when it is the only one.
// Otherwise the error is a [*PlatformError].
func Select(x Index, p *Platform) (Descriptor, error) {
	want := HostPlatform()
	if p != nil {
		want = platforms.Normalize(*p)
	}
	match := platforms.Only(want)
	var best *Descriptor
	var images []Descriptor
	var available []string
	for _, d := range x.Manifests {
		if d.IsAttestation() || !d.IsManifest() && !d.IsIndex() {
			continue
		}
		images = append(images, d)
		if d.Platform == nil {
			continue
		}
		if s := FormatPlatform(*d.Platform); !slices.Contains(available, s) {
			available = append(available, s)
		}
		if match.Match(*d.Platform) && (best == nil || match.Less(*d.Platform, *best.Platform)) {
			best = &d
		}
	}
	switch {
	case best != nil:
		return *best, nil
	case len(images) == 1 && images[0].Platform == nil:
		return images[0], nil
	}
	slices.Sort(available)
	return Descriptor{}, &PlatformError{Want: FormatPlatform(want), Available: available}
}

// accepts tells whether an image whose config says p is one for want.
func accepts(want, p Platform) bool {
	if p.OS == "" && p.Architecture == "" {
		return true // configs that do not say are older than the question
	}
	return platforms.Only(platforms.Normalize(want)).Match(platforms.Normalize(p))
}
