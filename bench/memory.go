package main

import (
	"archive/tar"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// measureImage takes the memory of importing a big image. Half of its bytes are
// noise, so that it compresses about as images do.
func measureImage(ctx context.Context, s *setup, size int64) error {
	layout := filepath.Join(s.work, "big-layout")
	const body = 8 << 20
	err := writeLayout(layout, func(tw *tar.Writer) error {
		noise := rand.NewChaCha8([32]byte{1})
		b := make([]byte, body)
		for n := range max(1, size/body) {
			noise.Read(b[:body/2])
			if err := tw.WriteHeader(&tar.Header{Name: fmt.Sprintf("file%06d", n), Mode: 0o644, Size: body}); err != nil {
				return err
			}
			if _, err := tw.Write(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.once(ctx, fmt.Sprintf("import of an image of %s", mebi(size)), layout)
}

// measureEntries takes the memory of importing an image with many entries: empty
// files, a thousand to a directory.
func measureEntries(ctx context.Context, s *setup, entries int) error {
	layout := filepath.Join(s.work, "wide-layout")
	err := writeLayout(layout, func(tw *tar.Writer) error {
		for n := range entries {
			if n%1000 == 0 {
				if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: fmt.Sprintf("dir%04d/", n/1000), Mode: 0o755}); err != nil {
					return err
				}
			}
			if err := tw.WriteHeader(&tar.Header{Name: fmt.Sprintf("dir%04d/file%06d", n/1000, n), Mode: 0o644}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.once(ctx, fmt.Sprintf("import of %d entries", entries), layout)
}

// once measures one import into an empty store, and takes everything away.
func (s *setup) once(ctx context.Context, what, layout string) error {
	store := filepath.Join(s.work, "memory-store")
	defer os.RemoveAll(store)
	defer os.RemoveAll(layout)
	if err := fresh(store); err != nil {
		return err
	}
	m, err := s.inStore(ctx, store, "import", "oci:"+layout, "bench")
	if err != nil {
		return err
	}
	s.table.add(what, []sample{m}, 0)
	return nil
}
