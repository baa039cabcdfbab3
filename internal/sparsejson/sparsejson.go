// Package sparsejson encodes values of which little is set.
//
// encoding/json prepares encoders for all that a type may hold before it writes the first
// value: a millisecond for a record of many kinds of steps, which is more than a program
// that writes one of them needs for all else. Here only what is there is prepared. What
// is written is the same.
package sparsejson

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Marshal gives what [json.Marshal] gives, and fails where it does. The first value of a
// type takes as long as the fields that are set; others take about twice as long as
// with json.Marshal.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := encode(&b, reflect.ValueOf(v), 0); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// deep is how far values are followed: json.Marshal finds out whether one holds itself.
const deep = 100

// encode adds a value. What is none of the kinds below, or says itself how it looks, is
// left to encoding/json.
func encode(b *bytes.Buffer, v reflect.Value, depth int) error {
	if !v.IsValid() || depth > deep {
		return whole(b, v)
	}
	if itself(v.Type()) {
		return said(b, v)
	}
	switch v.Kind() {
	case reflect.Bool:
		b.Write(strconv.AppendBool(b.AvailableBuffer(), v.Bool()))
		return nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		b.Write(strconv.AppendInt(b.AvailableBuffer(), v.Int(), 10))
		return nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		b.Write(strconv.AppendUint(b.AvailableBuffer(), v.Uint(), 10))
		return nil
	case reflect.String:
		if s := v.String(); plain(s) && v.Type() != number {
			text(b, s)
			return nil
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return encode(b, v.Elem(), depth+1)
		}
		b.WriteString("null")
		return nil
	case reflect.Slice:
		if v.IsNil() {
			b.WriteString("null")
			return nil
		}
		switch of := v.Type().Elem(); of.Kind() {
		case reflect.Struct, reflect.Pointer, reflect.String, reflect.Int:
			return list(b, v, depth)
		case reflect.Uint8:
			if itself(of) {
				break
			}
			text(b, base64.StdEncoding.EncodeToString(v.Bytes()))
			return nil
		}
	case reflect.Struct:
		if fs, ok := fieldsOf(v.Type()); ok {
			return object(b, v, fs, depth)
		}
	}
	return whole(b, v)
}

// said adds a value that says itself how it looks.
func said(b *bytes.Buffer, v reflect.Value) error {
	if k := v.Kind(); k == reflect.Interface || k == reflect.Pointer && v.IsNil() {
		return whole(b, v)
	}
	switch x := v.Interface().(type) {
	case json.Marshaler:
		if s, err := x.MarshalJSON(); err == nil && !bytes.ContainsFunc(s, isEscaped) && json.Compact(b, s) == nil {
			return nil
		}
	case encoding.TextMarshaler:
		if of(v.Type(), marshaler) { // which is preferred
			break
		}
		if s, err := x.MarshalText(); err == nil && plain(string(s)) {
			text(b, string(s))
			return nil
		}
	}
	return whole(b, v)
}

// text adds a string that is plain.
func text(b *bytes.Buffer, s string) {
	b.WriteByte('"')
	b.WriteString(s)
	b.WriteByte('"')
}

// plain tells whether a string is written as it is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || isEscaped(rune(c)) {
			return false
		}
	}
	return true
}

// isEscaped tells whether encoding/json writes a character otherwise wherever it is.
func isEscaped(r rune) bool {
	return r == '<' || r == '>' || r == '&' || r >= utf8.RuneSelf
}

// whole adds a value as encoding/json has it.
func whole(b *bytes.Buffer, v reflect.Value) error {
	var of any
	switch {
	case !v.IsValid():
	case v.CanAddr(): // methods of a pointer to it count
		of = v.Addr().Interface()
	default:
		of = v.Interface()
	}
	data, err := json.Marshal(of)
	b.Write(data)
	return err
}

func list(b *bytes.Buffer, v reflect.Value, depth int) error {
	b.WriteByte('[')
	for i := range v.Len() {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := encode(b, v.Index(i), depth+1); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

func object(b *bytes.Buffer, v reflect.Value, fs []field, depth int) error {
	before := byte('{')
	for _, f := range fs {
		v := v.Field(f.index)
		if f.omits(v) {
			continue
		}
		b.WriteByte(before)
		b.WriteString(f.key)
		if err := encode(b, v, depth+1); err != nil {
			return err
		}
		before = ','
	}
	if before == '{' {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	return nil
}

var (
	number        = reflect.TypeFor[json.Number]()
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	zeroer        = reflect.TypeFor[interface{ IsZero() bool }]()
)

// itself tells whether values of a type, or where they can be addressed, say how they look.
func itself(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Struct:
	default:
		if t.PkgPath() == "" { // a type of the language, or made of others: it has no methods
			return false
		}
	}
	return of(t, marshaler) || of(t, textMarshaler)
}

// of tells whether a type, or a pointer to it, has the methods of an interface.
func of(t, methods reflect.Type) bool {
	return t.Implements(methods) || t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(methods)
}

// field is a field of a struct that has no options which are unknown here.
type field struct {
	index     int
	key       string // with quotes and a colon
	omitEmpty bool
	omitZero  bool
	saysZero  bool // the type has a method that tells
}

// omits tells whether the field is left out with a value.
func (f field) omits(v reflect.Value) bool {
	if f.omitEmpty {
		switch v.Kind() {
		case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
			if v.Len() == 0 {
				return true
			}
		case reflect.Struct, reflect.Func, reflect.Chan, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer: // never empty
		default:
			if v.IsZero() {
				return true
			}
		}
	}
	if !f.omitZero {
		return false
	}
	if f.saysZero {
		return v.Interface().(interface{ IsZero() bool }).IsZero()
	}
	return v.IsZero()
}

// known has what fieldsOf found, by type: a []field, nil for none.
var known sync.Map

// fieldsOf gives the fields of a struct in the order in which they are written; false if
// it has what is left to encoding/json: embedded structs, options and names out of the
// ordinary.
func fieldsOf(t reflect.Type) ([]field, bool) {
	if fs, ok := known.Load(t); ok {
		fs := fs.([]field)
		return fs, fs != nil
	}
	fs := findFields(t)
	known.Store(t, fs)
	return fs, fs != nil
}

func findFields(t reflect.Type) []field {
	fs := make([]field, 0, t.NumField())
	for i := range t.NumField() {
		sf := t.Field(i)
		if sf.Anonymous {
			return nil
		}
		tag := sf.Tag.Get("json")
		if !sf.IsExported() || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if name == "" {
			name = sf.Name
		}
		f := field{index: i, key: `"` + name + `":`}
		for o := range strings.SplitSeq(options, ",") {
			switch o {
			case "":
			case "omitempty":
				f.omitEmpty = true
			case "omitzero":
				f.omitZero, f.saysZero = true, sf.Type.Implements(zeroer)
				if of(sf.Type, zeroer) && (sf.Type.Kind() == reflect.Pointer || sf.Type.Kind() == reflect.Interface || !f.saysZero) {
					return nil
				}
			default:
				return nil
			}
		}
		twice := slices.ContainsFunc(fs, func(g field) bool { return g.key == f.key })
		if twice || strings.ContainsFunc(name, isOdd) {
			return nil
		}
		fs = append(fs, f)
	}
	return fs
}

// isOdd tells whether a character of a name may be written otherwise, or refused.
func isOdd(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}
