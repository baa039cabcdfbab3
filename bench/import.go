package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// measureImport compares the import of Debian from an OCI layout, into an empty
// store, with decompressing and digesting its layers alone.
func measureImport(ctx context.Context, s *setup) error {
	layout := filepath.Join(s.work, "debian-layout")
	if err := s.debianLayout(ctx, layout); err != nil {
		return err
	}
	alone, err := s.repeat(nil, func(int) (sample, error) { return decompressAlone(layout, goGzip) })
	if err != nil {
		return err
	}
	least := s.table.add("Debian: decompress and digest, in Go", alone, 0)
	if _, err := exec.LookPath("igzip"); err == nil {
		alone, err := s.repeat(nil, func(int) (sample, error) { return decompressAlone(layout, igzip) })
		if err != nil {
			return err
		}
		least = min(least, s.table.add("Debian: decompress and digest, by igzip", alone, 0))
	}
	// A store for each: ext4 takes minutes to give out inodes that were just
	// deleted, and searches for others meanwhile.
	store := ""
	all, err := s.repeat(
		func(i int) error {
			store = filepath.Join(s.work, fmt.Sprintf("import-store-%d", i))
			return fresh(store)
		},
		func(int) (sample, error) { return s.inStore(ctx, store, "import", "oci:"+layout, "debian") })
	if err != nil {
		return err
	}
	s.table.add("Debian: inlay import, into an empty store", all, least)
	again, err := s.repeat(nil, func(int) (sample, error) { return s.inStore(ctx, store, "import", "oci:"+layout, "debian") })
	if err != nil {
		return err
	}
	s.table.add("Debian: inlay import, again", again, least)
	return nil
}

// debianLayout makes an OCI layout of the Debian root.
func (s *setup) debianLayout(ctx context.Context, layout string) error {
	store := filepath.Join(s.work, "layout-store")
	if err := fresh(store); err != nil {
		return err
	}
	if _, err := s.inStore(ctx, store, "import", "dir:"+s.debian, "debian"); err != nil {
		return err
	}
	_, err := s.inStore(ctx, store, "export", "debian", "oci:"+layout+":debian")
	return err
}

// decompressAlone decompresses and digests all gzip blobs of a layout, as many
// at a time as there are.
func decompressAlone(layout string, decompress func(path string, to io.Writer) error) (sample, error) {
	blobs, err := filepath.Glob(filepath.Join(layout, "blobs/sha256/*"))
	if err != nil {
		return sample{}, err
	}
	start := time.Now()
	var wait sync.WaitGroup
	errs := make([]error, len(blobs))
	for i, path := range blobs {
		if !isGzip(path) {
			continue
		}
		wait.Go(func() { errs[i] = decompress(path, sha256.New()) })
	}
	wait.Wait()
	return sample{wall: time.Since(start)}, errors.Join(errs...)
}

func isGzip(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [2]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && magic == [2]byte{0x1f, 0x8b}
}

// goGzip decompresses while the writer digests: two threads, as inlay has.
func goGzip(path string, to io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return err
	}
	r, w := io.Pipe()
	go func() {
		_, err := z.WriteTo(w)
		w.CloseWithError(err)
	}()
	_, err = io.CopyBuffer(to, r, make([]byte, 1<<20))
	return err
}

func igzip(path string, to io.Writer) error {
	cmd := exec.Command("igzip", "-dc", path)
	cmd.Stdout = to
	return cmd.Run()
}
