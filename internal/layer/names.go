package layer

import (
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// Whiteouts, as image-spec's layer.md and AUFS before it have them.
const (
	whiteoutPrefix = ".wh."
	metaPrefix     = ".wh..wh."
	opaqueMarker   = ".wh..wh..opq"
	plinkDir       = ".wh..wh.plnk"
)

// role is what a path of a layer is for.
type role int

const (
	ordinary role = iota
	whiteout      // removes the last name
	opaque        // removes all that the directory held
	leftover      // AUFS's own: means nothing
	plink         // AUFS's own: the target of hardlinks
)

// splitName gives the names of a path in a tar, without empty ones and ".".
func splitName(p string) ([]string, error) {
	if p == "" {
		return nil, malformed("it has no name")
	}
	names := make([]string, 0, strings.Count(p, "/")+1)
	for name := range strings.SplitSeq(p, "/") {
		switch name {
		case "", ".":
			continue
		case "..":
			return nil, malformed(`there is ".." in its path`)
		}
		names = append(names, name)
	}
	return names, nil
}

// classify gives the names of the thing that a path is about, and the path's
// role. For an opaque marker they are the directory's.
func classify(names []string, plain bool) ([]string, role, error) {
	for i, name := range names {
		if plain || !strings.HasPrefix(name, whiteoutPrefix) {
			if err := tree.CheckName(name); err != nil {
				return nil, 0, malformed("%w", err)
			}
			continue
		}
		last := i == len(names)-1
		switch {
		case name == opaqueMarker && last:
			return names[:i], opaque, nil
		case name == plinkDir && i == len(names)-2:
			return names, plink, nil
		case strings.HasPrefix(name, metaPrefix):
			return names, leftover, nil
		case !last:
			return nil, 0, malformed("it lies below a whiteout")
		}
		name = name[len(whiteoutPrefix):]
		if err := tree.CheckName(name); err != nil {
			return nil, 0, malformed("a whiteout of what no directory can hold: %w", err)
		}
		return append(names[:i:i], name), whiteout, nil
	}
	return names, ordinary, nil
}
