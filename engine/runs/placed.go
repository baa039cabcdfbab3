package runs

import (
	"encoding/json"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/sparsejson"
	"github.com/inlaybuild/inlay/tree"
)

// Placed is [engine.Placements] as JSON that keeps every byte of a name.
type Placed engine.Placements

// placedJSON is the form of [Placed] in the store.
type placedJSON struct {
	List []placementJSON
	More int64 `json:",omitempty"`
}

type placementJSON struct {
	Action compose.Action
	Root   bool            `json:",omitempty"`
	Asked  Text            `json:",omitempty"`
	From   Text            `json:",omitempty"`
	To     Text            `json:",omitempty"`
	Hops   [][2]Text       `json:",omitempty"` // path and target
	Kind   tree.Kind       `json:",omitempty"`
	Count  int64           `json:",omitempty"`
	Was    tree.Kind       `json:",omitempty"`
	Gone   int64           `json:",omitempty"`
	Mount  graph.MountKind `json:",omitempty"`
}

// MarshalJSON gives the form that UnmarshalJSON reads.
func (p Placed) MarshalJSON() ([]byte, error) {
	out := placedJSON{List: make([]placementJSON, len(p.List)), More: p.More}
	for i, q := range p.List {
		j := placementJSON{
			Action: q.Action, Root: q.Root, Asked: Text(q.Asked), From: Text(q.From), To: Text(q.To),
			Kind: q.Kind, Count: q.Count, Was: q.Was, Gone: q.Gone, Mount: q.Mount,
		}
		for _, h := range q.Hops {
			j.Hops = append(j.Hops, [2]Text{Text(h.Path), Text(h.Target)})
		}
		out.List[i] = j
	}
	return sparsejson.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON gave.
func (p *Placed) UnmarshalJSON(b []byte) error {
	var in placedJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*p = Placed{List: make([]engine.Placement, len(in.List)), More: in.More}
	for i, j := range in.List {
		q := engine.Placement{
			Action: j.Action, Root: j.Root, Asked: string(j.Asked), From: string(j.From), To: string(j.To),
			Kind: j.Kind, Count: j.Count, Was: j.Was, Gone: j.Gone, Mount: j.Mount,
		}
		for _, h := range j.Hops {
			q.Hops = append(q.Hops, tree.Hop{Path: string(h[0]), Target: string(h[1])})
		}
		p.List[i] = q
	}
	return nil
}
