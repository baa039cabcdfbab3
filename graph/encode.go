package graph

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
)

// Encoded is an op as it is written down.
type Encoded struct {
	Kind string
	Op   json.RawMessage
}

// kinds are the ops by what they are written down as.
var kinds = map[string]Op{
	"scratch": Scratch{}, "from": From{}, "host": Host{},
	"copy": Copy{}, "merge": Merge{}, "diff": Diff{}, "sub": Sub{},
	"file": NewFile{}, "directory": NewDirectory{}, "symlink": Symlink{}, "remove": Remove{},
	"rename": Rename{}, "hardlink": Hardlink{}, "attributes": SetAttr{},
	"configure": Configure{}, "exec": Exec{}, "terminal": Terminal{},
}

// Encode writes an op down; nil for one that cannot be.
func Encode(op Op) *Encoded {
	for kind, of := range kinds {
		if reflect.TypeOf(of) != reflect.TypeOf(op) {
			continue
		}
		b, err := json.Marshal(op)
		if err != nil || len(b) > mostEncoded {
			return nil
		}
		if bytes.Contains(b, []byte(`\ufffd`)) {
			return nil // names that are not UTF-8
		}
		return &Encoded{Kind: kind, Op: b}
	}
	return nil
}

// mostEncoded is how many bytes an op that is written down has at most.
const mostEncoded = 1 << 20

// Decode reads an op.
func (e Encoded) Decode() (Op, error) {
	of, ok := kinds[e.Kind]
	if !ok {
		return nil, fmt.Errorf("an op of the unknown kind %q", e.Kind)
	}
	p := reflect.New(reflect.TypeOf(of))
	if err := json.Unmarshal(e.Op, p.Interface()); err != nil {
		return nil, fmt.Errorf("an op %s that is not understood: %w", e.Kind, err)
	}
	return p.Elem().Interface().(Op), nil
}
