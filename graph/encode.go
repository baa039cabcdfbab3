package graph

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
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
		b, err := json.Marshal(mapped(op, escaped).Interface())
		if err != nil || len(b) > mostEncoded {
			return nil
		}
		return &Encoded{Kind: kind, Op: b}
	}
	return nil
}

// escape comes before a string that is no UTF-8, in base64. No string of an op has
// it itself.
const escape = "\x00"

func escaped(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, escape) {
		return s
	}
	return escape + base64.StdEncoding.EncodeToString([]byte(s))
}

func unescaped(s string) string {
	if rest, ok := strings.CutPrefix(s, escape); ok {
		if b, err := base64.StdEncoding.DecodeString(rest); err == nil {
			return string(b)
		}
	}
	return s
}

// mapped gives a value with other strings.
func mapped(op any, f func(string) string) reflect.Value {
	v := reflect.New(reflect.TypeOf(op)).Elem()
	v.Set(reflect.ValueOf(op))
	mapStrings(v, f)
	return v
}

// mapStrings replaces the strings of a value, and all that leads to them: it shares
// nothing with the value that it was copied from.
func mapStrings(v reflect.Value, f func(string) string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(f(v.String()))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				mapStrings(v.Field(i), f)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			to := reflect.New(v.Type().Elem())
			to.Elem().Set(v.Elem())
			mapStrings(to.Elem(), f)
			v.Set(to)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 || v.IsNil() {
			return
		}
		to := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(to, v)
		for i := range to.Len() {
			mapStrings(to.Index(i), f)
		}
		v.Set(to)
	}
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
	return mapped(p.Elem().Interface(), unescaped).Interface().(Op), nil
}
