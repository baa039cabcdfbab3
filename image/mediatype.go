package image

import "strings"

// The media types of the OCI image specification, section "media types", and
// of Docker's image manifest version 2, schema 2.
const (
	MediaTypeIndex     = "application/vnd.oci.image.index.v1+json"
	MediaTypeManifest  = "application/vnd.oci.image.manifest.v1+json"
	MediaTypeConfig    = "application/vnd.oci.image.config.v1+json"
	MediaTypeLayer     = "application/vnd.oci.image.layer.v1.tar"
	MediaTypeLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip"
	MediaTypeLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd"

	MediaTypeDockerList      = "application/vnd.docker.distribution.manifest.list.v2+json"
	MediaTypeDockerManifest  = "application/vnd.docker.distribution.manifest.v2+json"
	MediaTypeDockerConfig    = "application/vnd.docker.container.image.v1+json"
	MediaTypeDockerLayer     = "application/vnd.docker.image.rootfs.diff.tar"
	MediaTypeDockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip"

	mediaTypeForeignLayer      = "application/vnd.oci.image.layer.nondistributable.v1.tar"
	mediaTypeDockerForeign     = "application/vnd.docker.image.rootfs.foreign.diff.tar"
	mediaTypeDockerLayerZstd   = "application/vnd.docker.image.rootfs.diff.tar.zstd"
	mediaTypeDockerForeignGzip = mediaTypeDockerForeign + ".gzip"

	mediaTypeDockerSchema1Prefix = "application/vnd.docker.distribution.manifest.v1+"
)

// ociType gives the OCI media type for the same bytes; a type that it does not
// know stays what it is.
func ociType(t string) string {
	switch t {
	case MediaTypeDockerList:
		return MediaTypeIndex
	case MediaTypeDockerManifest:
		return MediaTypeManifest
	case MediaTypeDockerConfig:
		return MediaTypeConfig
	case MediaTypeDockerLayer:
		return MediaTypeLayer
	case MediaTypeDockerLayerGzip:
		return MediaTypeLayerGzip
	case mediaTypeDockerLayerZstd:
		return MediaTypeLayerZstd
	case mediaTypeDockerForeign:
		return mediaTypeForeignLayer
	case mediaTypeDockerForeignGzip:
		return mediaTypeForeignLayer + "+gzip"
	}
	return t
}

// dockerType is the inverse of ociType; ok is false where Docker's schema 2 has
// no type for these bytes.
func dockerType(t string) (_ string, ok bool) {
	switch ociType(t) {
	case MediaTypeConfig:
		return MediaTypeDockerConfig, true
	case MediaTypeLayer:
		return MediaTypeDockerLayer, true
	case MediaTypeLayerGzip:
		return MediaTypeDockerLayerGzip, true
	case mediaTypeForeignLayer:
		return mediaTypeDockerForeign, true
	case mediaTypeForeignLayer + "+gzip":
		return mediaTypeDockerForeignGzip, true
	}
	return "", false
}

// IsIndex tells whether d names an index (Docker's: a manifest list).
func (d Descriptor) IsIndex() bool { return ociType(d.MediaType) == MediaTypeIndex }

// IsManifest tells whether d names the manifest of one image.
func (d Descriptor) IsManifest() bool { return ociType(d.MediaType) == MediaTypeManifest }

// IsConfig tells whether d names the config of a container image.
func (d Descriptor) IsConfig() bool { return ociType(d.MediaType) == MediaTypeConfig }

// IsLayer tells whether d names a layer: a tar, plain or compressed by gzip or
// zstd. What the compression really is, the bytes say.
func (d Descriptor) IsLayer() bool {
	switch t := ociType(d.MediaType); t {
	case MediaTypeLayer, MediaTypeLayerGzip, MediaTypeLayerZstd:
		return true
	default:
		return strings.HasPrefix(t, mediaTypeForeignLayer)
	}
}

// IsForeign tells whether d names a layer that registries need not have
// (Windows base layers); its URLs say where it may be had.
func (d Descriptor) IsForeign() bool {
	return strings.HasPrefix(ociType(d.MediaType), mediaTypeForeignLayer)
}
