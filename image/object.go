package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// object is a JSON object whose unknown members survive.
type object map[string]json.RawMessage

// parseObject reads one JSON object and nothing after it. A member that comes
// twice is refused, and so is one that differs from a known name only in its
// case: readers do not agree on what such a body says.
func parseObject(b []byte, known ...string) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("%w: not a JSON object", ErrInvalid)
	}
	o := object{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		key, _ := t.(string)
		if _, twice := o[key]; twice {
			return nil, fmt.Errorf("%w: member %q comes twice", ErrInvalid, clip(key))
		}
		for _, k := range known {
			if key != k && strings.EqualFold(key, k) {
				return nil, fmt.Errorf("%w: member %q is spelled %q", ErrInvalid, clip(key), k)
			}
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, fmt.Errorf("%w: member %q: %w", ErrInvalid, clip(key), err)
		}
		if !bytes.Equal(v, []byte("null")) {
			o[key] = v
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows the JSON object", ErrInvalid)
	}
	return o, nil
}

// get decodes a member into v; without the member v stays what it is.
func (o object) get(key string, v any) error {
	raw, ok := o[key]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%w: member %q: %w", ErrInvalid, key, err)
	}
	return nil
}

// with gives o with one member set, or gone when v is empty.
func (o object) with(key string, v any, empty bool) (object, error) {
	c := maps.Clone(o)
	if c == nil {
		c = object{}
	}
	if empty {
		delete(c, key)
		return c, nil
	}
	raw, err := marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: member %q: %w", ErrInvalid, key, err)
	}
	c[key] = raw
	return c, nil
}

// bytes gives the object's canonical form: members sorted by name, no white
// space between them, no escapes of <, > and &.
func (o object) bytes() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, k := range slices.Sorted(maps.Keys(o)) {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := marshal(k)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		if err := json.Compact(&b, o[k]); err != nil {
			return nil, fmt.Errorf("%w: member %q: %w", ErrInvalid, clip(k), err)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshal is json.Marshal without its escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
