package layer_test

import (
	"testing"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// Where section 4 of the rules decides between peers, overlayfs is on its side.
func TestRulesOfLayersAreThoseOfOverlayfs(t *testing.T) {
	for law, stack := range map[string]string{
		"a whiteout does not touch what its own layer adds, before it or behind it": `-- layer --
a/x = 1
-- layer --
b/y = 2
a/x = 2
a/.wh.x
b/.wh.y
`,
		"a directory behind a whiteout of it shows nothing of what was there": `-- layer --
d/x = 1
-- layer --
.wh.d
d/y = 2
`,
		"an opaque marker of the root hides all": `-- layer --
d/x = 1
-- layer --
.wh..wh..opq
d/y = 2
`,
		"an implied parent keeps the attributes of the directory below": `-- layer --
lib/ {0711 1:2 @3 user.k=v}
-- layer --
lib/a = 1
`,
		"an implied parent in a directory that is hidden has none to keep": `-- layer --
usr/lib/ {0711 1:2 @3 user.k=v}
-- layer --
usr/.wh..wh..opq
usr/lib/a = 1
`,
		"an implied parent replaces a symlink, and what is not a directory": `-- layer --
usr/lib/b = 1
lib -> usr/lib
bin fifo
-- layer --
lib/a = 1
bin/.wh.a
`,
		"a directory takes the extended attributes of the later layer alone": `-- layer --
d/ {user.k=v user.l=w}
-- layer --
d/ {user.k=w}
`,
		"what is above something that was no directory is all there is": `-- layer --
d/x = 1
-- layer --
d = 1
-- layer --
d/y = 2
`,
		"a name that a layer replaces leaves its hardlink group": `-- layer --
a = 1
b == a
c == a
-- layer --
b = 1
`,
	} {
		t.Run(law, func(t *testing.T) {
			s := treetest.MustParseStack(stack)
			isReadAsTheRulesSay(t, s)
			isUnpackedAlikeBy(t, "overlayfs", s)
		})
	}
}
