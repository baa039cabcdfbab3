package inlay_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/engine"
)

// caching gives a client on a store of its own.
func caching(t *testing.T, o inlay.Options) *inlay.Client {
	t.Helper()
	o.Store = filepath.Join(t.TempDir(), "store")
	c, err := inlay.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestResultsGoFromClientToClient(t *testing.T) {
	box := shell(t)
	said := box.WithExec([]string{"/bin/sh", "-c", "echo made > /it; echo said"})
	dir := filepath.Join(t.TempDir(), "cache")
	to, err := engine.ParseCache("type=local,dest=" + dir)
	if err != nil {
		t.Fatal(err)
	}
	from, err := engine.ParseCache("type=local,trust=true,src=" + dir)
	if err != nil {
		t.Fatal(err)
	}
	first := caching(t, inlay.Options{CacheTo: []engine.Cache{to}})
	run := first.Begin("all of it")
	if out, err := said.Stdout(t.Context(), run); err != nil || out != "said\n" {
		t.Fatal(out, err)
	}
	if err := run.ExportCache(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := run.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The cache is there, and then it is not: what is read is the same.
	for _, lost := range []bool{false, true} {
		hits, ran := 0, 0
		second := caching(t, inlay.Options{CacheFrom: []engine.Cache{from}, Events: engine.SinkFunc(func(ev engine.Event) {
			switch ev.(type) {
			case engine.FromCache:
				if hits++; lost {
					if err := os.RemoveAll(filepath.Join(dir, "blobs")); err != nil {
						t.Error(err)
					}
				}
			case engine.Output:
				ran++
			}
		})})
		if out, err := said.Stdout(t.Context(), second); err != nil || out != "said\n" {
			t.Errorf("lost %v: %q, %v", lost, out, err)
		}
		if b, err := said.Directory("/").File("/it").Contents(t.Context(), second); err != nil || string(b) != "made\n" {
			t.Errorf("lost %v: %q, %v", lost, b, err)
		}
		if hits == 0 || (ran > 0) != lost {
			t.Errorf("lost %v: %d hits, %d ran", lost, hits, ran)
		}
	}
}

func TestCachesAreWrittenAsTheyAreRead(t *testing.T) {
	for text, want := range map[string]string{
		"type=registry,ref=a/b:c":           "type=registry,ref=a/b:c",
		"a/b:c":                             "type=registry,ref=a/b:c",
		`type=local,"src=with,comma",TAG=x`: `type=local,"src=with,comma",tag=x`,
		"ref=x,type=gha":                    "type=gha,ref=x",
	} {
		c, err := engine.ParseCache(text)
		if err != nil || c.String() != want {
			t.Errorf("%s: %s, %v", text, c, err)
		}
	}
	for _, bad := range []string{"", "=", "type=", "ref=x", "type=local,src", "type=local,src=a,src=b", `type=local,"src=x`} {
		if c, err := engine.ParseCache(bad); err == nil {
			t.Errorf("%q is read as %s", bad, c)
		}
	}
}
