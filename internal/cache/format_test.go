package cache

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
)

func samplePacks() []pack {
	d := func(s string) digest.Digest { return digest.Of([]byte(s)) }
	return []pack{
		{digest: d("pack 1"), size: 300, chunks: []chunk{
			{kind: Node, length: 100, objects: []Object{{Node, d("a"), 70}, {Node, d("b"), 200}}},
			{kind: Node, length: 200, objects: []Object{{Node, d("c"), 5 << 20}}},
		}},
		{digest: d("pack 2"), size: 1 << 30, chunks: []chunk{{kind: Body, length: 1 << 30, objects: []Object{{Body, d("d"), 1 << 32}}}}},
	}
}

func TestTheIndexHasOneForm(t *testing.T) {
	b := encodeIndex(samplePacks())
	// magic, two packs; the digest of the first; 300 bytes, two chunks; nodes, 100 bytes, two of them.
	want := hex.EncodeToString([]byte("inlay cache index 1\n")) + "02" + digest.Of([]byte("pack 1")).Hex() + "ac02" + "02" + "4e" + "64" + "02" + digest.Of([]byte("a")).Hex() + "46"
	if got := hex.EncodeToString(b); !strings.HasPrefix(got, want) {
		t.Errorf("%s\ndoes not begin with\n%s", got, want)
	}
	packs, err := decodeIndex(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := encodeIndex(packs); !bytes.Equal(got, b) {
		t.Error("it comes back as another one")
	}
	for n := range b {
		if _, err := decodeIndex(b[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("%d of its %d bytes are taken: %v", n, len(b), err)
		}
	}
	if _, err := decodeIndex(append(b, 0)); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}

func TestImpossibleIndexesAreRefused(t *testing.T) {
	for what, change := range map[string]func(p []pack){
		"a pack of another length":    func(p []pack) { p[0].size++ },
		"an unknown kind":             func(p []pack) { p[0].chunks[0].kind = 'X' },
		"an empty chunk":              func(p []pack) { p[0].chunks[0].objects = nil },
		"a chunk of no bytes":         func(p []pack) { p[0].chunks[0].length = 0; p[0].size = 200 },
		"a pack of no chunks":         func(p []pack) { p[1].chunks, p[1].size = nil, 0 },
		"a large chunk of several":    func(p []pack) { p[0].chunks[0].objects[0].Size = maxChunk },
		"a node that is too large":    func(p []pack) { p[0].chunks[1].objects[0].Size = maxNode + 1 },
		"a body that is too large":    func(p []pack) { p[1].chunks[0].objects[0].Size = maxBody + 1 },
		"an object without a digest":  func(p []pack) { p[1].chunks[0].objects[0].Digest = digest.Digest{} },
		"a pack without a digest":     func(p []pack) { p[1].digest = digest.Digest{} },
		"lengths that go round":       func(p []pack) { p[0].chunks[0].length = maxBody + 1 },
		"a chunk of negative objects": func(p []pack) { p[0].chunks[0].objects[1].Size = -1 },
	} {
		p := samplePacks()
		change(p)
		if _, err := decodeIndex(encodeIndex(p)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestBadResultsAreRefused(t *testing.T) {
	good, err := encodeResults([]Result{result(1), result(2)})
	if err != nil {
		t.Fatal(err)
	}
	if rs, err := decodeResults(good); err != nil || len(rs) != 2 {
		t.Fatal(rs, err)
	}
	key := `"` + digest.Of([]byte("k")).String() + `"`
	for _, bad := range []string{
		``, `[]`, `{}`, `{"version":2,"results":[]}`, `{"version":1,"results":[{}]}`,
		`{"version":1,"results":[{"key":` + key + `,"tree":` + key + `}]}`,
		`{"version":1,"results":[{"key":` + key + `,"tree":` + key + `,"data":[]}]}`,
		`{"version":1,"results":[{"key":` + key + `,"tree":` + key + `,"data":{}},{"key":` + key + `,"tree":` + key + `,"data":{}}]}`,
		`{"version":1,"results":[],"more":1}`,
		`{"version":1,"results":[{"key":"md5:00","tree":` + key + `,"data":{}}]}`,
	} {
		if _, err := decodeResults([]byte(bad)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add(encodeIndex(nil))
	f.Add(encodeIndex(samplePacks()))
	f.Fuzz(func(t *testing.T, b []byte) {
		packs, err := decodeIndex(b)
		if err == nil && !bytes.Equal(encodeIndex(packs), b) {
			t.Error("what it was read from is not what it is written as")
		}
	})
}

func FuzzResults(f *testing.F) {
	b, _ := encodeResults([]Result{result(1), result(2)})
	f.Add(b)
	f.Add([]byte(`{"version":1,"results":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		rs, err := decodeResults(b)
		if err != nil {
			return
		}
		again, err := encodeResults(rs)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeResults(again); err != nil {
			t.Errorf("it is refused when it is written again: %v", err)
		}
	})
}

// Whatever a chunk holds: what comes out of it has the digest that was asked for.
func FuzzChunk(f *testing.F) {
	var buf bytes.Buffer
	p, err := newPacker(&buf)
	if err != nil {
		f.Fatal(err)
	}
	a, b := []byte("some bytes"), bytes.Repeat([]byte("others"), 100)
	c := chunk{kind: Body, objects: []Object{{Body, digest.Of(a), int64(len(a))}, {Body, digest.Of(b), int64(len(b))}}}
	for i, o := range c.objects {
		if _, err := p.add(o, bytes.NewReader([][]byte{a, b}[i])); err != nil {
			f.Fatal(err)
		}
	}
	if _, err := p.finish(); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := newDecoder()
		if err != nil {
			t.Fatal(err)
		}
		defer d.close()
		n := 0
		err = d.chunk(bytes.NewReader(in), c, func(o Object, r io.Reader) error {
			got, err := io.ReadAll(r)
			if err == nil && digest.Of(got) != o.Digest {
				t.Error("other bytes than were asked for")
			}
			n++
			return err
		})
		if err == nil && n != 2 {
			t.Errorf("%d of 2 objects came", n)
		}
	})
}
