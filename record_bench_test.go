package inlay_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/internal/busybox"
)

func median(all []time.Duration) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
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
				if c.to == "" {
					_, err = image.Stdout(b.Context(), on)
					return err
				}
				_, err = image.Export(b.Context(), on, fmt.Sprintf("%s:%s/%s-%d-%d", c.to, out, c.what, n, time.Now().UnixNano()))
				return err
			}
			var took [2][]time.Duration
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
					began := time.Now()
					if err := run(stores[which], which == 0, n); err != nil {
						b.Fatal(err)
					}
					took[which] = append(took[which], time.Since(began))
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
			more := make([]time.Duration, n)
			for i := range more {
				more[i] = took[1][i] - took[0][i]
			}
			b.ReportMetric(float64(median(took[0]).Microseconds())/1e3, "ms-without")
			b.ReportMetric(float64(median(more).Microseconds())/1e3, "ms-more")
			b.ReportMetric(100*float64(median(more))/float64(median(took[0])), "%-more")
		})
	}
}
