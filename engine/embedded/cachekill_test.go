package embedded_test

import (
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/image/layout"
	"github.com/inlaybuild/inlay/internal/cache"
)

// Whenever a process is killed that reads from a cache and writes to it, the store is
// sound, and so is the cache.
func TestAKillLeavesStoreAndCacheWhole(t *testing.T) {
	needsProcesses(t)
	source, at := busyboxImage(t), filepath.Join(t.TempDir(), "cache")
	task := func(store string, seed int) time.Duration {
		began := time.Now()
		cmd, out := other(t, "cache", store, source, "INLAY_TEST_CACHE="+at, "INLAY_TEST_SEED="+strconv.Itoa(seed))
		if err := cmd.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return time.Since(began)
	}
	took := task(filepath.Join(t.TempDir(), "first"), 0)
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	var last string
	for i := range kills() / 2 {
		last = filepath.Join(t.TempDir(), "store")
		cmd, _ := other(t, "cache", last, source, "INLAY_TEST_CACHE="+at, "INLAY_TEST_SEED="+strconv.Itoa(i+1))
		time.Sleep(time.Duration(r.Int64N(int64(took))))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		e, err := embedded.Open(t.Context(), embedded.Options{Store: last})
		if err != nil {
			t.Fatal(err)
		}
		sound(t, e)
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		l, err := layout.Open(at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cache.Open(t.Context(), l, "latest"); err != nil {
			t.Errorf("kill %d: the cache: %v", i, err)
		}
		l.Close()
	}
	task(last, 1000) // of which no cache has a result: it runs, and clears up before
	e := open(t, embedded.Options{CacheFrom: []engine.Cache{cacheOf("type=local,trust=true,src=" + at)}})
	var ev seen
	res, err := e.Resolve(t.Context(), from(source), &ev)
	if err != nil || ev.from != 1 || len(ev.told) > 0 {
		t.Fatalf("%d from the cache, told %v: %v", ev.from, ev.told, err)
	}
	list(t, e, res.Tree)
	nothingLeft(t, last)
}
