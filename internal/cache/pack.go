package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/inlaybuild/inlay/digest"
	"github.com/klauspost/compress/zstd"
)

// cutter decides behind which objects there is a cut. An object of s bytes has one
// behind it with the probability s/target, and its digest is the dice: so cuts are
// target bytes apart on average, and depend on nothing but the object.
func cutter(o Object, target int64) bool {
	sum := o.Digest.Sum()
	at := 0
	if target == packTarget {
		at = 8 // other dice
	}
	dice := binary.BigEndian.Uint64(sum[at:]) % uint64(target)
	return dice < uint64(o.Size)+32
}

// packer writes a pack.
type packer struct {
	w    io.Writer
	z    *zstd.Encoder
	n    int64 // bytes written to w
	hash *digest.Hasher

	pack pack
	open chunk // that is being written
	raw  int64 // of it
}

func newPacker(w io.Writer) (*packer, error) {
	p := &packer{w: w, hash: digest.NewHasher()}
	var err error
	// One goroutine: what is written follows from what is read alone.
	p.z, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	return p, err
}

// Write takes the bytes of a compressed chunk.
func (p *packer) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.hash.Write(b[:n])
	p.n += int64(n)
	return n, err
}

// fits tells whether an object may go into the pack: a large one has a pack to
// itself, so that it is the same one wherever the object is.
func (p *packer) fits(o Object) bool {
	return o.Size < maxChunk || len(p.pack.chunks)+len(p.open.objects) == 0
}

// add adds an object, and tells whether the pack is to end behind it.
func (p *packer) add(o Object, r io.Reader) (end bool, err error) {
	if len(p.open.objects) > 0 && (p.open.kind != o.Kind || p.raw+o.Size > maxChunk) {
		if err := p.endChunk(); err != nil {
			return false, err
		}
	}
	if len(p.open.objects) == 0 {
		p.open.kind = o.Kind
		p.z.Reset(p)
	}
	n, err := io.Copy(p.z, digest.Verify(r, o.Digest, o.Size))
	if err != nil {
		return false, err
	}
	if n != o.Size {
		return false, fmt.Errorf("%s: %w", o.Digest, io.ErrUnexpectedEOF)
	}
	p.open.objects = append(p.open.objects, o)
	p.raw += o.Size
	end = o.Size >= maxChunk || cutter(o, packTarget)
	if end || p.raw >= maxChunk/2 || cutter(o, chunkTarget) {
		if err := p.endChunk(); err != nil {
			return false, err
		}
	}
	return end || p.n >= 4*packTarget, nil
}

func (p *packer) endChunk() error {
	if len(p.open.objects) == 0 {
		return nil
	}
	if err := p.z.Close(); err != nil {
		return err
	}
	p.open.length = p.n - p.pack.size
	p.pack.size = p.n
	p.pack.chunks = append(p.pack.chunks, p.open)
	p.open, p.raw = chunk{}, 0
	return nil
}

// finish ends the pack.
func (p *packer) finish() (pack, error) {
	if err := p.endChunk(); err != nil {
		return pack{}, err
	}
	p.pack.digest = p.hash.Digest()
	return p.pack, nil
}

// decoder reads chunks. It is used by one goroutine.
type decoder struct {
	z *zstd.Decoder
}

func newDecoder() (*decoder, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return nil, err
	}
	return &decoder{z}, nil
}

func (d *decoder) close() { d.z.Close() }

// chunk reads the objects of a chunk from r, which has its compressed bytes. Each
// is given to yield as a reader that is verified and must be read to its end;
// what yield leaves is read and verified here.
func (d *decoder) chunk(r io.Reader, c chunk, yield func(Object, io.Reader) error) error {
	if err := d.z.Reset(r); err != nil {
		return damaged(err)
	}
	for _, o := range c.objects {
		v := &damagedReader{digest.Verify(io.LimitReader(d.z, o.Size), o.Digest, o.Size)}
		if err := yield(o, v); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, v); err != nil {
			return err
		}
	}
	var more [1]byte
	if n, err := io.ReadFull(d.z, more[:]); n > 0 {
		return fmt.Errorf("%w: a chunk is longer than its index says", ErrDamaged)
	} else if err != io.EOF {
		return damaged(err)
	}
	return nil
}

// damagedReader gives the errors of bytes that are not the right ones as such.
type damagedReader struct{ r io.Reader }

func (d *damagedReader) Read(b []byte) (int, error) {
	n, err := d.r.Read(b)
	if err != nil && err != io.EOF {
		err = damaged(err)
	}
	return n, err
}

func damaged(err error) error {
	var from *sourceError
	if errors.As(err, &from) {
		return from.err
	}
	if errors.Is(err, ErrDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// sourceReader marks the errors of where bytes come from: they are not damage.
type sourceReader struct{ r io.Reader }

func (s *sourceReader) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && err != io.EOF && !errors.Is(err, digest.ErrMismatch) {
		err = &sourceError{err}
	}
	return n, err
}

type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }
