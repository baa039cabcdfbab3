package compose_test

import (
	"testing"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// Cases that generated tests found, made small.

func TestAnInodeStaysOneWhenTheFirstOfItsNamesIsReplaced(t *testing.T) {
	for _, text := range []string{
		// the same copy replaces bin/c, by which the others were known
		"copy b c /\n-- src --\nb/bin/c = 1\nb/bin/y == b/bin/c\nc/bin/c -> c\nc/bin/usr == b/bin/c\n",
		// where a symlink leads
		"directory /\n-- dst --\nz -> a\n-- src --\na/f = 1\na/g == a/f\nb == a/f\nz/f = 2\n",
	} {
		isWhatTheModelDoes(t, treetest.MustParseCase(text))
	}
}
