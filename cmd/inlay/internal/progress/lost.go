package progress

import (
	"fmt"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/tree"
)

// most is how many warnings a step writes of what it lost.
const most = 20

// replaced gives the warning of something that a step lost; "" when it has
// written enough of them.
func (b *board) replaced(e engine.Replaced) string {
	s := b.of(e.Step)
	if s.lost++; s.lost > most {
		return ""
	}
	return s.warning(loss(e.Replacement))
}

// more gives the warning of what [board.replaced] was silent about, when the
// step has ended; "" if that is nothing.
func (s *step) more() string {
	if s.lost <= most {
		return ""
	}
	return s.warning(fmt.Sprintf("and %d more like that (`inlay explain --all` lists them)", s.lost-most))
}

// notKept gives the warning of what could not be written down.
func (b *board) notKept(e engine.NotKept) string {
	text := fmt.Sprintf("%s cannot be kept: %s", e.What, show.Clean(e.Err.Error(), false))
	if s, ok := b.steps[e.Step]; ok {
		return s.warning(text)
	}
	return "warning: " + text
}

// lost gives the warning that a tree is not what a process left.
func (b *board) lost(e engine.Lost) string {
	return "warning: " + show.Quote(e.Of) + ": what its process left could not be kept: this is the tree that it began with"
}

func (s *step) warning(text string) string {
	if s.call != "" {
		text = s.call + ": " + text
	}
	return "warning: " + text
}

// loss says in words what was lost: "/etc was a directory with 213 entries, and
// is a file now".
func loss(r compose.Replacement) string {
	at := show.Quote(r.Path)
	if r.Was == r.Now {
		now := "none"
		if r.Came > 0 {
			now = show.Number(r.Came)
		}
		return fmt.Sprintf("%s had %s, and has %s now", at, show.Entries(r.Entries), now)
	}
	return fmt.Sprintf("%s was %s, and is %s now", at, kind(r.Was, r.Entries), kind(r.Now, r.Came))
}

// kind names a kind of which there are so many entries, with itself.
func kind(k tree.Kind, entries int64) string {
	if entries > 1 {
		return fmt.Sprintf("a %s with %s", k, show.Entries(entries-1))
	}
	return "a " + k.String()
}
