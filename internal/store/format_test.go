package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
	"golang.org/x/sys/unix"
)

func TestAnUnknownFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	check(t, open(t, dir).Close(t.Context()))
	check(t, os.WriteFile(filepath.Join(dir, "format"), []byte("inlay-store 2\n"), 0o600))
	_, err := store.Open(t.Context(), dir, options())
	if !errors.Is(err, store.ErrFormat) || !strings.Contains(err.Error(), "inlay-store 2") {
		t.Fatal(err)
	}
}

func TestADirectoryOfSomethingElseIsRefused(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o600))
	_, err := store.Open(t.Context(), dir, options())
	if !errors.Is(err, store.ErrFormat) {
		t.Fatal(err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Fatal(list)
	}
	_, err = store.Open(t.Context(), filepath.Join(dir, "thesis.tex"), options())
	if !errors.Is(err, unix.ENOTDIR) {
		t.Fatal(err)
	}
}

func TestADatabaseThatIsNoneIsAnError(t *testing.T) {
	dir := t.TempDir()
	check(t, open(t, dir).Close(t.Context()))
	check(t, os.WriteFile(filepath.Join(dir, "records.db"), []byte(strings.Repeat("garbage ", 1000)), 0o600))
	_, err := store.Open(t.Context(), dir, options())
	if err == nil || !strings.Contains(err.Error(), "records.db") {
		t.Fatal(err)
	}
	check(t, os.Remove(filepath.Join(dir, "records.db")))
	_, err = store.Open(t.Context(), dir, options())
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestCancelledCallsSaySo(t *testing.T) {
	s := open(t, t.TempDir())
	tree, _ := ingest(t, s, "r", "body")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, f := range map[string]func() error{
		"open":   func() error { _, err := store.Open(ctx, t.TempDir(), options()); return err },
		"node":   func() error { _, err := s.Node(ctx, tree); return err },
		"commit": func() error { return s.SetRef(ctx, "x", store.Record{Trees: []digest.Digest{tree}}) },
		"gc":     func() error { _, err := s.GC(ctx, store.GCOptions{}); return err },
		"fsck":   func() error { _, err := s.Fsck(ctx); return err },
	} {
		if err := f(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	fsckClean(t, s)
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

func TestAStoreWithoutPermissionIsAClearError(t *testing.T) {
	needRoot(t)
	base, err := os.MkdirTemp("/var/tmp", "inlay-store-test")
	check(t, err)
	defer os.RemoveAll(base)
	check(t, os.Chmod(base, 0o755))
	dir := base + "/store"
	s := open(t, dir)
	check(t, s.Close(t.Context()))
	exe, err := os.ReadFile("/proc/self/exe")
	check(t, err)
	check(t, os.WriteFile(base+"/exe", exe, 0o755))
	for _, at := range []string{dir, base + "/other"} {
		cmd := exec.Command(base + "/exe")
		cmd.Env = []string{"INLAY_STORE_ROLE=work", "INLAY_STORE_SECONDS=1", "INLAY_STORE_DIR=" + at}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "permission denied") {
			t.Errorf("%s: %v %s", at, err, out)
		}
	}
}

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
	mnt := smallDisk(t, 16)
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
	check(t, os.Remove(f.Name()))
	s, err = store.Open(ctx, mnt, options())
	check(t, err)
	fsckClean(t, s)
	if left := files(t, mnt+"/ingest"); len(left) > 0 {
		t.Fatal(left)
	}
	_, err = s.GC(ctx, store.GCOptions{})
	check(t, err)
	fsckClean(t, s)
	ingest(t, s, "again", "after the collection")
}
