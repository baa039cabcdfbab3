package show

import (
	"fmt"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

// Placement is where something went, in JSON.
type Placement struct {
	Action string `json:"action"`          // graft, merge, fill, make-directory, clear, take or mount
	Root   bool   `json:"root,omitempty"`  // what was to be put itself, not what came along
	Asked  Bytes  `json:"asked,omitempty"` // the path that was asked for
	From   Bytes  `json:"from,omitempty"`
	To     Bytes  `json:"to"`
	Hops   []Hop  `json:"hops,omitempty"` // the symlinks that led from asked to to
	Kind   string `json:"kind,omitempty"`
	Count  int64  `json:"entries,omitempty"` // below it, that came
	Was    string `json:"was,omitempty"`     // the kind of what stood there
	Gone   int64  `json:"gone,omitempty"`    // entries that went: that, and those below it
	Mount  string `json:"mount,omitempty"`
}

// Hop is a symlink that a path led through, in JSON.
type Hop struct {
	Path   Bytes `json:"path"`
	Target Bytes `json:"target"`
}

// PlacementsOf gives the JSON form of placements.
func PlacementsOf(list []engine.Placement) []Placement {
	out := make([]Placement, len(list))
	for i, p := range list {
		out[i] = Placement{
			Action: string(p.Action), Root: p.Root, Asked: Bytes(p.Asked), From: Bytes(p.From), To: Bytes(p.To),
			Count: p.Count, Gone: p.Gone, Mount: string(p.Mount),
		}
		if p.Kind != 0 {
			out[i].Kind = p.Kind.String()
		}
		if p.Was != 0 {
			out[i].Was = p.Was.String()
		}
		for _, h := range p.Hops {
			out[i].Hops = append(out[i].Hops, Hop{Bytes(h.Path), Bytes(h.Target)})
		}
	}
	return out
}

// Placed says in words where something went: "/bin/tool -> /usr/bin/tool, because
// /bin -> usr/bin". Names are written by name.
func Placed(p engine.Placement, name func(string) string) string {
	to := name(p.To)
	where := to
	if p.Asked != "" && p.Asked != p.To {
		where = name(p.Asked) + " -> " + to
	}
	text := ""
	switch p.Action {
	case engine.Mounted:
		text = where + ", " + mount(p, name)
	case compose.Clear:
		text = where + ", emptied of " + Entries(p.Gone)
	case compose.Take:
		text = where + ", taken away" + with(p.Gone-1)
	case compose.MakeDirectory:
		text = where + "/, made on the way"
	case compose.MergeInto:
		text = where + ": " + Entries(p.Count) + " merged into it"
	case compose.Fill:
		text = where + ": filled up from " + Entries(p.Count)
	default:
		if p.Kind == tree.KindDirectory {
			where = slash(where)
		}
		text = where + with(p.Count)
	}
	if p.Was != 0 && p.Action != compose.Take {
		text += ", in place of a " + p.Was.String() + with(p.Gone-1)
	}
	if len(p.Hops) > 0 {
		text += ", because " + because(p.Hops, name)
	}
	return text
}

// slash marks the path of a directory.
func slash(p string) string {
	if strings.HasSuffix(p, "/") {
		return p
	}
	return p + "/"
}

func with(entries int64) string {
	if entries <= 0 {
		return ""
	}
	return " with " + Entries(entries)
}

func because(hops []tree.Hop, name func(string) string) string {
	var out []string
	for _, h := range hops {
		out = append(out, name(h.Path)+" -> "+name(h.Target))
	}
	return strings.Join(out, ", ")
}

func mount(p engine.Placement, name func(string) string) string {
	switch p.Mount {
	case graph.MountCache:
		return "the cache " + name(p.From)
	case graph.MountSecret:
		return "the secret " + name(p.From)
	case graph.MountTemp:
		return "an empty directory in memory"
	case graph.MountTree:
		if p.From == "/" {
			return "a mounted tree"
		}
		return name(p.From) + " of a mounted tree"
	}
	return fmt.Sprintf("a mount of the kind %s", p.Mount)
}
