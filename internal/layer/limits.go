package layer

import (
	"fmt"
	"math"
)

// Limits bound what a layer may hold, because a few bytes of tar can declare
// very much. The zero value has the defaults; a negative limit is none.
type Limits struct {
	MaxBytes    int64 // bytes of all bodies, holes included; 0 stands for 256 GiB
	MaxHoles    int64 // bytes of holes in sparse files; 0 stands for 16 GiB
	MaxEntries  int64 // entries, and parents that they imply; 0 stands for 4,000,000
	MaxMetadata int64 // bytes of names, link targets and xattrs; 0 stands for 512 MiB
	MaxDepth    int64 // names in a path; 0 stands for 1,024
}

// What a [LimitError] may be about; also the ends of the flags that raise them.
const (
	limitBytes    = "bytes"
	limitHoles    = "hole-bytes"
	limitEntries  = "entries"
	limitMetadata = "metadata-bytes"
	limitDepth    = "depth"
)

// LimitError is the error of a layer that holds more than [Limits] allow.
type LimitError struct {
	What  string // "bytes", "hole-bytes", "entries", "metadata-bytes" or "depth"
	Limit int64
	Name  string // the entry at which it was noticed
}

// Error names the limit and how to raise it.
func (e *LimitError) Error() string {
	return fmt.Sprintf("entry %s: the layer goes beyond the limit of %d for %s: if you trust it, raise it with --max-%s",
		quote(e.Name), e.Limit, e.What, e.What)
}

func (l Limits) withDefaults() Limits {
	set := func(v *int64, def int64) {
		if *v == 0 {
			*v = def
		} else if *v < 0 {
			*v = math.MaxInt64
		}
	}
	set(&l.MaxBytes, 256<<30)
	set(&l.MaxHoles, 16<<30)
	set(&l.MaxEntries, 4_000_000)
	set(&l.MaxMetadata, 512<<20)
	set(&l.MaxDepth, 1024)
	return l
}

// usage is what was met so far.
type usage struct {
	limits                          Limits
	bytes, holes, entries, metadata int64
}

func (u *usage) add(name, what string, have *int64, n, limit int64) error {
	if n > limit-*have {
		return &LimitError{what, limit, name}
	}
	*have += n
	return nil
}
