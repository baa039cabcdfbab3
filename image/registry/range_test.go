package registry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/registry"
)

func TestARangeIsAskedForAndResumed(t *testing.T) {
	s := start(t, true)
	quickAnn := quick
	quickAnn.Credentials = func(string) (string, string, error) { return user, password, nil }
	r := s.repositoryOf(t, registry.New(quickAnn), "team/app", registry.RepositoryOptions{})
	body := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(body)
	d := image.Describe(image.MediaTypeLayer, body)
	err := r.Push(t.Context(), d, func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil })
	if err != nil {
		t.Fatal(err)
	}
	read := func(off, n int64) ([]byte, error) {
		rc, err := r.OpenRange(t.Context(), d, off, n)
		if err != nil {
			return nil, err
		}
		defer rc.Close()
		return io.ReadAll(rc)
	}
	const off, n = 1000, 300_000
	for name, front := range map[string]func(w http.ResponseWriter, q *http.Request) bool{
		"as it is": nil,
		"it knows no ranges": func(w http.ResponseWriter, q *http.Request) bool {
			q.Header.Del("Range")
			return false
		},
		"it is cut": func(w http.ResponseWriter, q *http.Request) bool {
			if !strings.HasPrefix(q.Header.Get("Range"), "bytes=1000-") {
				return false
			}
			w.Header().Set("Content-Range", "bytes 1000-300999/1048576")
			w.Header().Set("Content-Length", "300000")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(body[off : off+100])
			return true
		},
	} {
		s.stand(front)
		got, err := read(off, n)
		if err != nil || !bytes.Equal(got, body[off:off+n]) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	s.stand(func(w http.ResponseWriter, q *http.Request) bool {
		if q.Header.Get("Range") != "" {
			w.Header().Set("Content-Range", "bytes 0-299999/1048576")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(body[:n])
			return true
		}
		return false
	})
	if _, err := read(off, n); err == nil || !strings.Contains(err.Error(), "where \"bytes 1000-300999\" was asked for") {
		t.Errorf("another range: %v", err)
	}
	s.stand(nil)
	for _, bad := range [][2]int64{{-1, 5}, {0, 0}, {1 << 20, 1}, {5, 1 << 20}, {1 << 62, 1 << 62}} {
		if _, err := read(bad[0], bad[1]); err == nil {
			t.Errorf("%v is read", bad)
		}
	}
	nowhere := image.Describe(image.MediaTypeLayer, []byte("nowhere"))
	if _, err := r.OpenRange(t.Context(), nowhere, 0, 5); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
