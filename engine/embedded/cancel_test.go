package embedded_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/imagetest"
	"github.com/inlaybuild/inlay/internal/compress"
)

func TestImportsAndExportsThatAreCanceledLeaveNothing(t *testing.T) {
	var m imagetest.Memory
	var layers []image.Layer
	for i := range 4 {
		layers = append(layers, imagetest.Layer(t, &m, imagetest.Tar(t, strconv.Itoa(i), 2_000_000), compress.Gzip))
	}
	source := "oci:" + onDisk(t, &m, imagetest.Image(t, &m, image.HostPlatform(), image.AssembleOptions{}, layers...))
	whole := open(t, embedded.Options{})
	started := time.Now()
	importAs(t, whole, source, "base", embedded.ImportOptions{})
	took := time.Since(started)
	r := resolve(t, whole, from("base"))
	canceled := 0
	for i := range 10 {
		e := open(t, embedded.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.Int64N(int64(took))))
		_, err := e.Import(ctx, place(t, source), "base", embedded.ImportOptions{})
		_, err2 := whole.Export(ctx, r, place(t, "oci-archive:"+filepath.Join(t.TempDir(), "x.tar")), engine.ExportOptions{})
		cancel()
		for _, err := range []error{err, err2} {
			if err == nil {
				continue
			}
			canceled++
			if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q", err)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(e.Store().Dir(), "ingest/*")); len(left) > 0 {
			t.Errorf("left %s", left)
		}
		if i%5 == 0 {
			sound(t, e)
		}
	}
	t.Logf("%d of 20 were canceled", canceled)
}
