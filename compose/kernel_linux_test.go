package compose_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// bench is a place where copies are carried out on a disk.
type bench struct {
	dir  string
	proc int
}

// set writes the trees of a case, and gives what copies them.
func (b bench) set(c treetest.Case) (*diskCopier, error) {
	o, err := c.Compose(context.Background())
	if err != nil {
		return nil, err
	}
	if err := treetest.Write(c.Dst, b.at("dst")); err != nil {
		return nil, err
	}
	if err := treetest.Write(c.Src, b.at("src")); err != nil {
		return nil, err
	}
	if err := os.Mkdir(b.at("keep"), 0o700); err != nil {
		return nil, err
	}
	keep, err := unix.Open(b.at("keep"), unix.O_PATH, 0)
	return &diskCopier{src: c.Src, o: o, proc: b.proc, keep: keep, inodes: map[string]string{}, times: map[uint64]unix.Timespec{}}, err
}

func (b bench) at(name string) string { return filepath.Join(b.dir, name) }

func (b bench) clear() {
	for _, n := range []string{"dst", "src", "keep"} {
		if err := os.RemoveAll(b.at(n)); err != nil {
			panic(err)
		}
	}
}

// sources asks the kernel what the paths of a case lead to in the source.
func (b bench) sources(c treetest.Case) (sources []diskSource, several bool, err error) {
	from, _ := c.From()
	several = len(from) > 1
	var paths []string
	for _, p := range from {
		if itself, ok := treetest.Plain(p); ok {
			paths = append(paths, itself)
			continue
		}
		found, err := compose.Glob(context.Background(), c.Src.MustTree(), p)
		if err != nil {
			return nil, false, err
		}
		if len(found) == 0 && !c.Options.AllowEmpty {
			return nil, false, unix.ENOENT
		}
		paths = append(paths, found...)
	}
	root, err := unix.Open(b.at("src"), unix.O_PATH, 0)
	if err != nil {
		return nil, false, err
	}
	defer unix.Close(root)
	how := &unix.OpenHow{Flags: unix.O_PATH, Resolve: unix.RESOLVE_IN_ROOT}
	if c.Options.KeepLink {
		how.Flags |= unix.O_NOFOLLOW
	}
	for _, p := range paths {
		fd, err := treetest.Openat2(root, path.Clean("/"+p), how)
		if err != nil {
			return nil, false, err
		}
		at, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		unix.Close(fd)
		if err != nil {
			return nil, false, err
		}
		i := c.Src.Find(path.Join("/", strings.TrimPrefix(at, b.at("src"))))
		if c.Verb == "file" && i.Kind == tree.KindDirectory {
			return nil, false, unix.EISDIR
		}
		sources = append(sources, diskSource{*i, path.Base(path.Clean("/" + p))})
	}
	return sources, several || len(sources) > 1, nil
}

// copy carries a copy out as a process does, and gives what it came to.
func (b bench) copy(c treetest.Case) (out treetest.Outcome, err error) {
	defer b.clear()
	d, err := b.set(c)
	if err != nil {
		return out, err
	}
	defer unix.Close(d.keep)
	sources, several, err := b.sources(c)
	if err == nil {
		_, to := c.From()
		err = treetest.InRoot(b.at("dst"), func() error { return d.copy(to, sources, several) })
	}
	if err != nil {
		out.Err, out.Failure = err, failure(err)
		return out, nil
	}
	if d.o.Existing == compose.ExistingForbid && len(d.overwritten) > 0 {
		slices.Sort(d.overwritten)
		out.Failure, out.Forbidden = treetest.Forbidden, d.overwritten
		return out, nil
	}
	out.Tree, err = treetest.Read(b.at("dst"))
	return out, err
}

// failure says in the words of outcomes why the kernel refused.
func failure(err error) string {
	for is, f := range map[error]string{
		unix.ELOOP: treetest.Loop, unix.ENOTDIR: treetest.NotDir, unix.ENOENT: treetest.Missing, unix.ENAMETOOLONG: treetest.BadName,
	} {
		if errors.Is(err, is) {
			return f
		}
	}
	return treetest.Refused
}

// processDisagreement tells in what a process that copies and compose differ.
func (b bench) processDisagreement(c treetest.Case) string {
	got, _ := c.Run(context.Background())
	want, err := b.copy(c)
	switch {
	case err != nil:
		return "the disk: " + err.Error()
	case got.Failure != want.Failure:
		return fmt.Sprintf("failed with %q (%v), the process with %q (%v)", got.Failure, got.Err, want.Failure, want.Err)
	case !slices.Equal(got.Forbidden, want.Forbidden):
		return fmt.Sprintf("forbidden %q, the process says %q", got.Forbidden, want.Forbidden)
	case !got.Tree.Equal(want.Tree):
		return "differs from what the process made:\n" + treetest.Differences(got.Tree, want.Tree)
	}
	return ""
}

// placementDisagreement tells how the tree that a copy gives differs from its
// placements, carried out on a disk.
func (b bench) placementDisagreement(c treetest.Case) string {
	o, err := c.Compose(context.Background())
	if err != nil {
		return err.Error()
	}
	from, to := c.From()
	r, err := compose.CopySeveral(context.Background(), c.Dst.MustTree(), to, c.Src.MustTree(), from, o)
	if err != nil {
		return ""
	}
	defer b.clear()
	d, err := b.set(c)
	if err != nil {
		return err.Error()
	}
	defer unix.Close(d.keep)
	if err := treetest.InRoot(b.at("dst"), func() error { return d.carryOut(r.Placements) }); err != nil {
		return "the placements cannot be carried out: " + err.Error()
	}
	got, err := treetest.Read(b.at("dst"))
	if err != nil {
		return err.Error()
	}
	if what := treetest.Differences(treetest.List(r.Tree), got); what != "" {
		return "the placements give something else:\n" + what
	}
	return ""
}

// onDisk checks a law over generated copies that are carried out on a disk. The
// first case that breaks it is made small, and printed as a test.
func onDisk(t *testing.T, cases int, broken func(bench, treetest.Case) string) {
	t.Helper()
	if !treetest.Root() {
		t.Skip("mounts, chroot, owners and trusted attributes need root")
	}
	started := time.Now()
	seed := uint64(1)
	if long() {
		cases, seed = 100*cases, uint64(started.UnixNano())
	}
	var next, failed atomic.Uint64
	var found atomic.Pointer[string]
	work := func(dir string) error {
		proc, err := unix.Open("/proc/self/fd", unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		defer unix.Close(proc)
		b := bench{dir, proc}
		for found.Load() == nil {
			n := next.Add(1)
			if n > uint64(cases) {
				break
			}
			c := treetest.Seeded(seed + n).CopyCase(treetest.Limits{Disk: true})
			c.Options.Include, c.Options.Exclude, c.Options.Gitignore = nil, nil, false // of which the kernel knows nothing
			if broken(b, c) != "" {
				c = treetest.Shrink(c, func(c treetest.Case) bool { return broken(b, c) != "" })
				text := broken(b, c) + "\n\n" + c.String()
				found.CompareAndSwap(nil, &text)
			}
			if got, _ := c.Run(context.Background()); got.Failure != "" {
				failed.Add(1)
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := treetest.Apart(work); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if f := found.Load(); f != nil {
		t.Fatal(*f)
	}
	t.Logf("%d copies from seed %d in %v, of which %d fail", cases, seed, time.Since(started).Round(time.Millisecond), failed.Load())
}

func TestCopyIsWhatAProcessDoesInAChroot(t *testing.T) {
	onDisk(t, 1500, bench.processDisagreement)
}

func TestPlacementsCarriedOutOnADiskGiveTheResult(t *testing.T) {
	onDisk(t, 1500, bench.placementDisagreement)
}
