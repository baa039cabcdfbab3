package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	formatName    = "format"
	formatVersion = "inlay-store 4\n"
	initLock      = ".init"
)

// folders of a store; ensureFormat makes them.
func folders() []string {
	return []string{"blobs", "corrupt", "ingest", "leases", "logs", "roots", "runs"}
}

// ensureFormat checks the format of the store in dir, and makes the store when
// dir does not exist or is empty. The file format is written last, so that a
// store which has it is whole.
func ensureFormat(ctx context.Context, dir string) error {
	switch err := checkFormat(dir); {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%w; name another place with --store or $INLAY_STORE", err)
	}
	if err := foreign(dir); err != nil {
		return err
	}
	lock, err := lockFile(ctx, filepath.Join(dir, initLock), time.Minute)
	if err != nil {
		return fmt.Errorf("make a store: %w; name another place with --store or $INLAY_STORE", err)
	}
	defer lock.Close()
	if err := checkFormat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err // another process made it meanwhile
	}
	return makeStore(ctx, dir)
}

func checkFormat(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, formatName))
	if err != nil {
		return err
	}
	if string(b) != formatVersion {
		got, _, _ := strings.Cut(string(b[:min(len(b), 40)]), "\n")
		return fmt.Errorf("%w: it says %q, this program knows %q; use the inlay that made it, or another store",
			ErrFormat, got, strings.TrimSpace(formatVersion))
	}
	return nil
}

// foreign refuses a directory in which somebody keeps something else.
func foreign(dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	known := map[string]bool{initLock: true, reserveName: true, formatName + ".new": true, "lost+found": true}
	for _, n := range folders() {
		known[n] = true
	}
	for _, e := range list {
		if !known[e.Name()] && !strings.HasPrefix(e.Name(), "records.db") {
			return fmt.Errorf("%w: the directory is not empty and not a store (it has %q); name an empty one", ErrFormat, e.Name())
		}
	}
	return nil
}

func makeStore(ctx context.Context, dir string) error {
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	for _, n := range folders() {
		if err := mkdir(filepath.Join(dir, n)); err != nil {
			return err
		}
	}
	for i := range 256 {
		if err := mkdir(filepath.Join(dir, "blobs", fmt.Sprintf("%02x", i))); err != nil {
			return err
		}
	}
	for _, n := range []string{turnName, sweepName, gcName} {
		f, err := os.OpenFile(filepath.Join(dir, "leases", n), os.O_CREATE|os.O_RDONLY, 0o600)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	if err := makeDatabase(ctx, filepath.Join(dir, "records.db")); err != nil {
		return err
	}
	for _, n := range append(folders(), ".") {
		if err := syncDir(filepath.Join(dir, n)); err != nil {
			return err
		}
	}
	makeReserve(dir)
	return writeFormat(dir)
}

func writeFormat(dir string) error {
	tmp := filepath.Join(dir, formatName+".new")
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(formatVersion)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(dir, formatName)); err != nil {
		return err
	}
	return syncDir(dir)
}

func mkdir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
