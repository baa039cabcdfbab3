package main

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/pgzip"
)

// descriptor is OCI's.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// writeLayout makes an OCI layout with an image of one gzip layer, which fill
// writes. It is a writer of its own, so that what is measured is not what made
// the input.
func writeLayout(dir string, fill func(*tar.Writer) error) error {
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := fresh(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return err
	}
	layer, diffID, err := writeLayer(blobs, fill)
	if err != nil {
		return err
	}
	config, err := writeJSON(blobs, "application/vnd.oci.image.config.v1+json", map[string]any{
		"architecture": "amd64", "os": "linux",
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{diffID}},
	})
	if err != nil {
		return err
	}
	manifest, err := writeJSON(blobs, "application/vnd.oci.image.manifest.v1+json", map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": config, "layers": []descriptor{layer},
	})
	if err != nil {
		return err
	}
	manifest.Annotations = map[string]string{"org.opencontainers.image.ref.name": "bench"}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": []descriptor{manifest}})
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "index.json"), index, 0o644),
		os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
}

// writeLayer gives the layer, and the digest of its tar.
func writeLayer(blobs string, fill func(*tar.Writer) error) (descriptor, string, error) {
	path := filepath.Join(blobs, "layer")
	f, err := os.Create(path)
	if err != nil {
		return descriptor{}, "", err
	}
	defer f.Close()
	packed, unpacked := sha256.New(), sha256.New()
	buf := bufio.NewWriterSize(io.MultiWriter(f, packed), 1<<20)
	z, err := pgzip.NewWriterLevel(buf, pgzip.BestSpeed)
	if err != nil {
		return descriptor{}, "", err
	}
	tw := tar.NewWriter(io.MultiWriter(z, unpacked))
	if err := fill(tw); err != nil {
		return descriptor{}, "", err
	}
	for _, end := range []func() error{tw.Close, z.Close, buf.Flush} {
		if err := end(); err != nil {
			return descriptor{}, "", err
		}
	}
	info, err := f.Stat()
	if err != nil {
		return descriptor{}, "", err
	}
	name := hex.EncodeToString(packed.Sum(nil))
	d := descriptor{MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Digest: "sha256:" + name, Size: info.Size()}
	return d, fmt.Sprintf("sha256:%x", unpacked.Sum(nil)), os.Rename(path, filepath.Join(blobs, name))
}

func writeJSON(blobs, mediaType string, v any) (descriptor, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return descriptor{}, err
	}
	sum := sha256.Sum256(b)
	name := hex.EncodeToString(sum[:])
	return descriptor{MediaType: mediaType, Digest: "sha256:" + name, Size: int64(len(b))}, os.WriteFile(filepath.Join(blobs, name), b, 0o644)
}
