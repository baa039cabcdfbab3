package enginetest

import (
	"io"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/tree"
)

// read gives the content of a file.
func read(t testing.TB, e engine.Engine, f tree.File) ([]byte, error) {
	if f.Size == 0 {
		return nil, nil
	}
	rc, err := e.OpenContent(t.Context(), f.Content)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return io.ReadAll(rc)
}
