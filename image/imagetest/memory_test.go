package imagetest_test

import (
	"testing"

	"github.com/inlaybuild/inlay/image/imagetest"
)

func TestMemoryKeepsTheLaws(t *testing.T) {
	imagetest.Laws(t, func(*testing.T) imagetest.Place { return &imagetest.Memory{} })
}
