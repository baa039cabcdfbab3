package tree

import (
	"encoding/binary"
	"iter"
	"maps"
	"slices"
)

// Xattrs is the extended attributes of an entry, in bytewise order of their
// names. It is comparable; the zero Xattrs has none.
type Xattrs struct {
	enc string // uvarint length and name, uvarint length and value, repeated
}

// NewXattrs makes Xattrs of names and values.
func NewXattrs(m map[string]string) Xattrs {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(m)) {
		b = appendString(b, name)
		b = appendString(b, m[name])
	}
	return Xattrs{string(b)}
}

// IsEmpty tells whether there are none.
func (x Xattrs) IsEmpty() bool { return x.enc == "" }

// All gives names and values, in bytewise order of the names.
func (x Xattrs) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for s := x.enc; s != ""; {
			var name, value string
			name, s = cutString(s)
			value, s = cutString(s)
			if !yield(name, value) {
				return
			}
		}
	}
}

// Get gives the value of one name.
func (x Xattrs) Get(name string) (value string, ok bool) {
	for n, v := range x.All() {
		if n == name {
			return v, true
		}
	}
	return "", false
}

// With gives x with name set to value.
func (x Xattrs) With(name, value string) Xattrs {
	m := maps.Collect(x.All())
	m[name] = value
	return NewXattrs(m)
}

// Without gives x without name.
func (x Xattrs) Without(name string) Xattrs {
	if _, ok := x.Get(name); !ok {
		return x
	}
	m := maps.Collect(x.All())
	delete(m, name)
	return NewXattrs(m)
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// cutString takes one string off s, which appendString made.
func cutString(s string) (head, tail string) {
	n, size := uint64(0), 0
	for shift := 0; ; shift += 7 {
		c := s[size]
		size++
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			break
		}
	}
	return s[size : size+int(n)], s[size+int(n):]
}
