package inlay_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/internal/busybox"
)

func median(all []time.Duration) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

// cpuTime gives what this process and those that it waited for have used of the
// processors.
func cpuTime(b *testing.B) (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

// BenchmarkRunsWithAndWithoutRecord opens a client, makes an image with one new file
// and what a process makes, writes it out, and closes, as a command does; in turns with
// and without being recorded. It tells by how much the recorded run of a pair is longer
// than the other one, in the median.
func BenchmarkRunsWithAndWithoutRecord(b *testing.B) {
	program, err := busybox.Find()
	if err != nil {
		b.Skip(err)
	}
	small := inlay.Scratch().WithFile("/bin/busybox", inlay.HostFile(program)).WithSymlink("busybox", "/bin/sh").Container()
	bases := map[string]inlay.Container{"busybox": small}
	if debian := os.Getenv("INLAY_TEST_DEBIAN"); debian != "" {
		bases["debian"] = inlay.From("dir:" + debian)
	}
	for _, c := range []struct{ base, what, to string }{
		{"busybox", "file", "digest"},
		{"busybox", "file", "oci-archive"},
		{"busybox", "process", ""},
		{"debian", "file", "oci-archive"},
		{"debian", "file", "dir"},
		{"debian", "process", "oci-archive"},
	} {
		base, ok := bases[c.base]
		b.Run(c.base+"/"+c.what+"/"+c.to, func(b *testing.B) {
			if !ok {
				b.Skip("INLAY_TEST_DEBIAN is not set")
			}
			var stores [2]string
			for i := range stores {
				stores[i] = filepath.Join(b.TempDir(), "store")
			}
			out := b.TempDir()
			run := func(store string, forget bool, n int) error {
				client, err := inlay.Open(b.Context(), inlay.Options{Store: store, Forget: forget})
				if err != nil {
					return err
				}
				defer client.Close(b.Context())
				on := client.Begin("bench")
				defer on.Close(b.Context())
				image := base.WithNewFile("/new", fmt.Sprint(n))
				if c.what == "process" {
					image = image.WithExec([]string{"/bin/sh", "-c", "echo said; echo > /made"})
				}
				if c.to == "digest" {
					_, err = image.Root().Digest(b.Context(), on)
					return err
				}
				if c.to == "" {
					_, err = image.Stdout(b.Context(), on)
					return err
				}
				_, err = image.Export(b.Context(), on, fmt.Sprintf("%s:%s/%s-%d-%d", c.to, out, c.what, n, time.Now().UnixNano()))
				return err
			}
			var took, used [2][]time.Duration
			n := 0
			for i, store := range stores { // they have the base
				if err := run(store, i == 0, n); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				n++
				for i := range 2 {
					which := (i + n) % 2
					began, cpu := time.Now(), cpuTime(b)
					if err := run(stores[which], which == 0, n); err != nil {
						b.Fatal(err)
					}
					took[which] = append(took[which], time.Since(began))
					used[which] = append(used[which], cpuTime(b)-cpu)
					left, err := filepath.Glob(out + "/*")
					if err != nil {
						b.Fatal(err)
					}
					for _, p := range left {
						if err := os.RemoveAll(p); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
			more, cpu := make([]time.Duration, n), make([]time.Duration, n)
			for i := range more {
				more[i], cpu[i] = took[1][i]-took[0][i], used[1][i]-used[0][i]
			}
			b.ReportMetric(float64(median(took[0]).Microseconds())/1e3, "ms-without")
			b.ReportMetric(float64(median(more).Microseconds())/1e3, "ms-more")
			b.ReportMetric(float64(median(used[0]).Microseconds())/1e3, "cpu-ms-without")
			b.ReportMetric(float64(median(cpu).Microseconds())/1e3, "cpu-ms-more")
			b.ReportMetric(100*float64(median(more))/float64(median(took[0])), "%-more")
		})
	}
}
