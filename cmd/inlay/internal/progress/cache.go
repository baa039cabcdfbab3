package progress

import (
	"fmt"

	"github.com/inlaybuild/inlay/engine"
)

// fromCache notes that the result of a step came from a cache of others.
func (b *board) fromCache(e engine.FromCache) { b.of(e.Step).why = "from " + oneLine(e.Cache) }

// cacheTold writes what is to be known of a cache.
func cacheTold(e engine.CacheTold) string {
	text := fmt.Sprintf("cache %s: %s", oneLine(e.Cache), oneLine(e.Text))
	if e.Warning {
		return "warning: " + text
	}
	return text
}
