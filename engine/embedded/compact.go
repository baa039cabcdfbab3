package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/inlaybuild/inlay/internal/compress"
)

// What a remote has remembered is kept with a byte before it that says how.
const (
	asItIs  = 0
	zstdded = 1
)

// worthCompact is up to how many bytes something is kept as it is.
const worthCompact = 4 << 10

// largestRecalled is the most bytes that something is that was remembered.
const largestRecalled = 64 << 20

// compact gives what is kept of b.
func compact(b []byte) ([]byte, error) {
	if len(b) <= worthCompact {
		return append([]byte{asItIs}, b...), nil
	}
	out := bytes.NewBuffer([]byte{zstdded})
	w, err := compress.NewWriter(out, compress.Zstd)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(b)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// expanded gives what [compact] was given.
func expanded(kept []byte) ([]byte, error) {
	if len(kept) == 0 {
		return nil, errors.New("what a remote remembered is cut off")
	}
	switch kept[0] {
	case asItIs:
		return kept[1:], nil
	case zstdded:
		r, err := compress.NewReader(bytes.NewReader(kept[1:]), compress.Limits{MaxBytes: largestRecalled})
		if err != nil {
			return nil, err
		}
		defer r.Close()
		if r.Kind() != compress.Zstd {
			return nil, errors.New("what a remote remembered is not compressed as it says")
		}
		return io.ReadAll(r)
	}
	return nil, fmt.Errorf("what a remote remembered is kept in an unknown way, %d", kept[0])
}
