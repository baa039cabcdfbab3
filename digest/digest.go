// Package digest names immutable bytes.
//
// A [Digest] is the SHA-256 of a blob. OCI images name their blobs the same
// way, so a blob keeps one name from the registry to the store. A Digest is a
// comparable value that only this package's functions make: one that is not
// zero is valid.
package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

// Size is the number of bytes in a digest.
const Size = sha256.Size

// ErrMismatch is the error of bytes that are not the ones a digest names.
var ErrMismatch = errors.New("digest mismatch")

// ErrInvalid is the error of a text that is not a digest.
var ErrInvalid = errors.New("invalid digest")

const prefix = "sha256:"

// Digest is the name of immutable bytes. The zero Digest names nothing.
type Digest struct {
	sum [Size]byte
}

// Of gives the digest of b.
func Of(b []byte) Digest {
	return Digest{sha256.Sum256(b)}
}

// FromSum makes a Digest of a SHA-256 that was computed elsewhere. An error
// says that sum has the wrong length.
func FromSum(sum []byte) (Digest, error) {
	var d Digest
	if len(sum) != Size {
		return d, fmt.Errorf("%w: %d bytes where a SHA-256 has %d", ErrInvalid, len(sum), Size)
	}
	copy(d.sum[:], sum)
	return d, nil
}

// Parse reads the text form, "sha256:" and 64 lower-case hexadecimal digits.
func Parse(s string) (Digest, error) {
	h, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return Digest{}, fmt.Errorf("%w %q: want %q and 64 hexadecimal digits", ErrInvalid, abbreviate(s), prefix)
	}
	return ParseHex(h)
}

// ParseHex reads 64 lower-case hexadecimal digits.
func ParseHex(s string) (Digest, error) {
	var d Digest
	if len(s) != 2*Size || strings.ToLower(s) != s {
		return d, fmt.Errorf("%w %q: want 64 lower-case hexadecimal digits", ErrInvalid, abbreviate(s))
	}
	if _, err := hex.Decode(d.sum[:], []byte(s)); err != nil {
		return Digest{}, fmt.Errorf("%w %q: want 64 lower-case hexadecimal digits", ErrInvalid, abbreviate(s))
	}
	if d.IsZero() {
		return Digest{}, fmt.Errorf("%w: %d zeros are nobody's digest", ErrInvalid, 2*Size)
	}
	return d, nil
}

func abbreviate(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// IsZero tells whether d names nothing.
func (d Digest) IsZero() bool { return d == Digest{} }

// String gives the text form that [Parse] reads.
func (d Digest) String() string {
	b := make([]byte, 0, len(prefix)+2*Size)
	b = append(b, prefix...)
	return string(hex.AppendEncode(b, d.sum[:]))
}

// Hex gives the 64 hexadecimal digits alone.
func (d Digest) Hex() string { return hex.EncodeToString(d.sum[:]) }

// Sum gives the bytes of the digest.
func (d Digest) Sum() [Size]byte { return d.sum }

// Append appends the bytes of the digest to b.
func (d Digest) Append(b []byte) []byte { return append(b, d.sum[:]...) }

// Compare orders digests bytewise.
func (d Digest) Compare(e Digest) int { return bytes.Compare(d.sum[:], e.sum[:]) }

// MarshalText gives the text form; nothing for the zero Digest.
func (d Digest) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Digest{}
		return nil
	}
	p, err := Parse(string(b))
	if err != nil {
		return err
	}
	*d = p
	return nil
}

// Hasher computes the digest of what is written to it.
type Hasher struct {
	h hash.Hash
	n int64
}

// NewHasher gives a Hasher that has seen nothing.
func NewHasher() *Hasher { return &Hasher{h: sha256.New()} }

// Write adds b; it never fails.
func (h *Hasher) Write(b []byte) (int, error) {
	h.n += int64(len(b))
	return h.h.Write(b)
}

// Digest gives the digest of all that was written so far.
func (h *Hasher) Digest() Digest {
	var d Digest
	h.h.Sum(d.sum[:0])
	return d
}

// Size gives the number of bytes written so far.
func (h *Hasher) Size() int64 { return h.n }

// Reset forgets what was written.
func (h *Hasher) Reset() {
	h.h.Reset()
	h.n = 0
}

// Verify gives a reader of r that ends with [ErrMismatch] instead of io.EOF
// when r's bytes are not the size bytes that want names. It never returns more
// than size bytes. A negative size stands for any.
func Verify(r io.Reader, want Digest, size int64) io.Reader {
	return &verifier{r: r, want: want, size: size, h: NewHasher()}
}

type verifier struct {
	r    io.Reader
	want Digest
	size int64
	h    *Hasher
	err  error
}

func (v *verifier) Read(b []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if left := v.size - v.h.Size(); v.size >= 0 && int64(len(b)) > left+1 {
		b = b[:left+1] // one more than is due shows an overlong body
	}
	n, err := v.r.Read(b)
	v.h.Write(b[:n])
	switch got := v.h.Size(); {
	case v.size >= 0 && got > v.size:
		n -= int(got - v.size)
		v.err = fmt.Errorf("%w: more than the %d bytes of %s", ErrMismatch, v.size, v.want)
	case err == io.EOF && v.size >= 0 && got < v.size:
		v.err = fmt.Errorf("%w: %d of the %d bytes of %s: %w", ErrMismatch, got, v.size, v.want, io.ErrUnexpectedEOF)
	case err == io.EOF && v.h.Digest() != v.want:
		v.err = fmt.Errorf("%w: %s where %s was due", ErrMismatch, v.h.Digest(), v.want)
	default:
		v.err = err
	}
	return n, v.err
}
