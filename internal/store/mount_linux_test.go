package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
	"golang.org/x/sys/unix"
)

func TestAStoreThatCannotBeWrittenCanBeRead(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	s := open(t, dir)
	tree, blobs := ingest(t, s, "r", "body")
	check(t, s.Close(t.Context()))
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	check(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))

	s = open(t, dir)
	ctx := t.Context()
	ref, err := s.Ref(ctx, "r")
	if err != nil || ref.Trees[0] != tree || !s.ReadOnly() {
		t.Fatal(ref, err)
	}
	if _, err := s.Node(ctx, tree); err != nil {
		t.Fatal(err)
	}
	if contents(t, s, blobs[0]) != "body" {
		t.Fatal("differs")
	}
	if _, err := s.Du(ctx); err != nil {
		t.Fatal(err)
	}
	fsckClean(t, s)
	_, ingestErr := s.NewIngest(ctx)
	_, gcErr := s.GC(ctx, store.GCOptions{})
	for _, err := range []error{ingestErr, gcErr, s.DeleteRef(ctx, "r"), s.SetRef(ctx, "r", ref.Record)} {
		if !errors.Is(err, store.ErrReadOnly) {
			t.Error(err)
		}
	}
	check(t, s.Close(ctx))
}

// What was written and not read yet is in a log of the database, whether or not somebody
// has the store open.
func TestAReadOnlyStoreHasWhatIsWrittenElsewhere(t *testing.T) {
	needRoot(t)
	dir, other := t.TempDir(), t.TempDir()
	writer := open(t, dir)
	if err := unix.Mount(dir, other, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	defer unix.Unmount(other, unix.MNT_DETACH)
	check(t, unix.Mount("", other, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
	reader := open(t, other)
	for i := range 60 {
		name := fmt.Sprint("r", i)
		ingest(t, writer, name, "body "+name)
		if i%7 == 0 {
			check(t, writer.Close(t.Context()))
		}
		if i%5 == 0 {
			check(t, reader.Close(t.Context()))
			reader = open(t, other)
		}
		if _, err := reader.Ref(t.Context(), name); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if i%7 == 0 {
			writer = open(t, dir)
		}
	}
	check(t, writer.Close(t.Context()))
	check(t, reader.Close(t.Context()))
}

// smallDisk mounts an ext4 file system of a few megabytes.
func smallDisk(t *testing.T, megabytes int) string {
	t.Helper()
	needRoot(t)
	for _, tool := range []string{"mkfs.ext4", "mount", "umount"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	check(t, os.WriteFile(image, nil, 0o600))
	check(t, os.Truncate(image, int64(megabytes)<<20))
	for _, args := range [][]string{{"mkfs.ext4", "-q", "-m", "0", image}, {"mount", "-o", "loop", image, dir + "/mnt"}} {
		os.Mkdir(dir+"/mnt", 0o700)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%v: %v %s", args, err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir+"/mnt").CombinedOutput(); err != nil {
			t.Errorf("umount: %v %s", err, out)
			exec.Command("umount", "-l", dir+"/mnt").Run()
		}
	})
	return dir + "/mnt"
}

func TestAFullDiskLeavesNothingHalfMade(t *testing.T) {
	mnt := smallDisk(t, 64)
	ctx := t.Context()
	s, err := store.Open(ctx, mnt, options())
	check(t, err)
	defer func() { s.Close(context.Background()) }()
	keep, kept := ingest(t, s, "keep", "body to keep")
	full := 0
	for i := 0; i < 200 && full < 5; i++ {
		err := func() error {
			in, err := s.NewIngest(ctx)
			if err != nil {
				return err
			}
			defer in.Abort()
			var blobs []digest.Digest
			for j := range 20 {
				d, _, err := in.Put(ctx, strings.NewReader(strings.Repeat(fmt.Sprint(i, j, " "), 10_000)))
				if err != nil {
					return err
				}
				blobs = append(blobs, d)
			}
			n := makeNode(strings.Repeat("n", 20_000)+fmt.Sprint(i), nil, blobs)
			if err := in.Nodes(n); err != nil {
				return err
			}
			return in.Commit(ctx, store.Changes{Refs: map[string]store.Record{fmt.Sprint("r", i%3): {Trees: []digest.Digest{n.Digest}}}})
		}()
		if err != nil {
			if !errors.Is(err, unix.ENOSPC) {
				t.Fatal(err)
			}
			full++
		}
	}
	if full == 0 {
		t.Fatal("the disk never was full")
	}
	// Fill the rest: even a lease cannot be written then.
	f, err := os.Create(mnt + "/lost+found/filler")
	check(t, err)
	for _, n := range []int{1 << 20, 4096, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, n))
		}
	}
	f.Close()
	check(t, s.Close(ctx))
	s, err = store.Open(ctx, mnt, options())
	check(t, err)
	if _, err := s.Node(ctx, keep); err != nil {
		t.Fatal(err)
	}
	if contents(t, s, kept[0]) != "body to keep" {
		t.Fatal("differs")
	}
	check(t, s.Close(ctx))
	s, err = store.Open(ctx, mnt, options())
	check(t, err)
	// A collection works all the same, and makes room.
	r, err := s.GC(ctx, store.GCOptions{})
	check(t, err)
	if r.Blobs == 0 || r.Nodes == 0 {
		t.Fatalf("%+v", r)
	}
	fsckClean(t, s)
	if left := files(t, mnt+"/ingest"); len(left) > 0 {
		t.Fatal(left)
	}
	_, err = s.GC(ctx, store.GCOptions{})
	check(t, err)
	fsckClean(t, s)
	ingest(t, s, "again", "after the collection")
}
