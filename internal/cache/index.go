package cache

import (
	"encoding/binary"
	"fmt"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
)

const indexMagic = "inlay cache index 1\n"

// pack is a blob of chunks.
type pack struct {
	digest digest.Digest
	size   int64
	chunks []chunk
}

// chunk is a part of a pack.
type chunk struct {
	kind    Kind
	length  int64 // in the pack
	objects []Object
}

func (p *pack) descriptor() image.Descriptor {
	return image.Descriptor{MediaType: MediaTypePack, Digest: p.digest, Size: p.size}
}

// raw is how many bytes the objects of a chunk have.
func (c *chunk) raw() (n int64) {
	for _, o := range c.objects {
		n += o.Size
	}
	return n
}

func encodeIndex(packs []pack) []byte {
	b := []byte(indexMagic)
	b = binary.AppendUvarint(b, uint64(len(packs)))
	for _, p := range packs {
		b = p.digest.Append(b)
		b = binary.AppendUvarint(b, uint64(p.size))
		b = binary.AppendUvarint(b, uint64(len(p.chunks)))
		for _, c := range p.chunks {
			b = append(b, byte(c.kind))
			b = binary.AppendUvarint(b, uint64(c.length))
			b = binary.AppendUvarint(b, uint64(len(c.objects)))
			for _, o := range c.objects {
				b = o.Digest.Append(b)
				b = binary.AppendUvarint(b, uint64(o.Size))
			}
		}
	}
	return b
}

// decodeIndex refuses what encodeIndex does not write.
func decodeIndex(b []byte) ([]pack, error) {
	d := &indexDecoder{b: b}
	if string(d.take(len(indexMagic))) != indexMagic {
		return nil, fmt.Errorf("%w: its index does not begin as one of version 1", ErrDamaged)
	}
	packs := make([]pack, d.count(digest.Size))
	for i := range packs {
		packs[i] = d.pack()
	}
	if d.err == nil && len(d.b) > 0 {
		d.fail("something follows it")
	}
	return packs, d.err
}

// indexDecoder takes values off the front. After the first error all are zero.
type indexDecoder struct {
	b   []byte
	err error
}

func (d *indexDecoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: its index: %s", ErrDamaged, what)
	}
	d.b = nil
}

func (d *indexDecoder) take(n int) []byte {
	if len(d.b) < n {
		d.fail("it ends early")
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *indexDecoder) number(most uint64) int64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > most || n > 1 && d.b[n-1] == 0 {
		d.fail("a number that cannot be")
		return 0
	}
	d.b = d.b[n:]
	return int64(v)
}

// count is the number of things of at least size bytes that follow.
func (d *indexDecoder) count(size int) int { return int(d.number(uint64(len(d.b) / size))) }

func (d *indexDecoder) digest() digest.Digest {
	g, err := digest.FromSum(d.take(digest.Size))
	if err != nil || g.IsZero() {
		d.fail("a digest that names nothing")
	}
	return g
}

func (d *indexDecoder) pack() pack {
	p := pack{digest: d.digest(), size: d.number(maxBody)}
	p.chunks = make([]chunk, d.count(digest.Size))
	var sum int64
	for i := range p.chunks {
		p.chunks[i] = d.chunk()
		sum += p.chunks[i].length
	}
	if d.err == nil && (sum != p.size || sum == 0) {
		d.fail("a pack is not as long as its chunks")
	}
	return p
}

func (d *indexDecoder) chunk() chunk {
	var c chunk
	if k := d.take(1); len(k) == 1 {
		c.kind = Kind(k[0])
	}
	if c.length = d.number(maxBody); c.length == 0 {
		d.fail("a chunk without bytes")
	}
	c.objects = make([]Object, d.count(digest.Size))
	most := uint64(maxBody)
	switch {
	case c.kind != Node && c.kind != Body || len(c.objects) == 0:
		d.fail("a chunk of no known kind, or of nothing")
	case len(c.objects) > 1:
		most = maxChunk
	case c.kind == Node:
		most = maxNode
	}
	for i := range c.objects {
		c.objects[i] = Object{Kind: c.kind, Digest: d.digest(), Size: d.number(most)}
	}
	if len(c.objects) > 1 && c.raw() > maxChunk {
		d.fail("a chunk that is too large")
	}
	return c
}
