// Package compress reads and writes compressed streams as images have them:
// gzip, zstd, or none.
//
// What is written depends on nothing but the bytes written: not on the number
// of processors, nor on how the bytes were cut into writes. It does depend on
// the version of the compressor that is built in.
package compress

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
)

// Kind is a way to compress.
type Kind int

// The kinds. None is the zero value.
const (
	None Kind = iota
	Gzip      // RFC 1952
	Zstd      // RFC 8878
)

// String gives the kind's name, as in the media types of layers.
func (k Kind) String() string {
	switch k {
	case Gzip:
		return "gzip"
	case Zstd:
		return "zstd"
	}
	return "none"
}

// Detect tells how a stream that starts with prefix is compressed. Four bytes
// are enough; with fewer, anything is None.
func Detect(prefix []byte) Kind {
	if len(prefix) < 4 {
		return None
	}
	switch {
	case prefix[0] == 0x1f && prefix[1] == 0x8b && prefix[2] == 8:
		return Gzip
	case prefix[0] == 0x28 && prefix[1] == 0xb5 && prefix[2] == 0x2f && prefix[3] == 0xfd,
		prefix[0]&0xf0 == 0x50 && prefix[1] == 0x2a && prefix[2] == 0x4d && prefix[3] == 0x18: // skippable frame
		return Zstd
	}
	return None
}

// ErrBomb is the error of a stream that becomes larger than its limits allow.
var ErrBomb = errors.New("decompression bomb")

// Limits bound what a stream may become. The zero value has the defaults; a
// negative limit is none.
type Limits struct {
	// MaxBytes is the most bytes that come out; 0 stands for 256 GiB.
	MaxBytes int64
	// MaxRatio is the most bytes that come out for each that goes in, looked
	// at from 256 MiB on; 0 stands for 1,100. Gzip reaches 1,032 at most, on
	// zeros; zstd 32,755.
	MaxRatio int64
}

const (
	defaultMaxBytes = 256 << 30
	defaultMaxRatio = 1100
	ratioFrom       = 256 << 20
	maxWindow       = 128 << 20 // of zstd: what its command line reads by default
)

// Reader reads what a stream is without its compression.
type Reader struct {
	kind   Kind
	in     *input
	out    io.Reader
	close  func()
	limits Limits
	n      int64
	err    error
}

// input counts what is read. It lies below the buffer, which the decompressors
// know how to use best.
type input struct {
	r io.Reader
	n int64
}

func (i *input) Read(b []byte) (int, error) {
	n, err := i.r.Read(b)
	i.n += int64(n)
	return n, err
}

// NewReader looks at the first bytes of r and reads it accordingly; anything
// but gzip and zstd is read as it is. Streams that follow each other are read
// as one. The memory is bounded: 128 MiB of window for zstd, 32 KiB for gzip.
func NewReader(r io.Reader, limits Limits) (*Reader, error) {
	in := &input{r: r}
	br := bufio.NewReaderSize(in, 1<<16)
	prefix, err := br.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if limits.MaxBytes == 0 {
		limits.MaxBytes = defaultMaxBytes
	}
	if limits.MaxRatio == 0 {
		limits.MaxRatio = defaultMaxRatio
	}
	d := &Reader{kind: Detect(prefix), in: in, limits: limits, close: func() {}}
	switch d.kind {
	case None:
		d.out = br
	case Gzip:
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		d.out = z
	case Zstd:
		z, err := zstd.NewReader(br, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		d.out, d.close = z, z.Close
	}
	return d, nil
}

// Kind tells how the stream is compressed.
func (d *Reader) Kind() Kind { return d.kind }

// Read gives decompressed bytes. It ends with [ErrBomb] at a limit.
func (d *Reader) Read(b []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.out.Read(b)
	d.n += int64(n)
	if err != nil && err != io.EOF && d.kind != None {
		err = fmt.Errorf("%s: %w", d.kind, err)
	}
	if bomb := d.bomb(); bomb != nil {
		n, err = 0, bomb
	}
	d.err = err
	return n, err
}

func (d *Reader) bomb() error {
	switch l := d.limits; {
	case l.MaxBytes > 0 && d.n > l.MaxBytes:
		return fmt.Errorf("%w: more than %d bytes come out: if you trust it, allow more", ErrBomb, l.MaxBytes)
	case d.kind != None && l.MaxRatio > 0 && d.n > ratioFrom && d.n/l.MaxRatio > d.in.n:
		return fmt.Errorf("%w: %d bytes come out of %d: if you trust it, allow a ratio above %d", ErrBomb, d.n, d.in.n, l.MaxRatio)
	}
	return nil
}

// WriteTo writes all that is left to w.
func (d *Reader) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(w, struct{ io.Reader }{d}, make([]byte, 1<<18))
}

// Close ends the reading. It does not close the stream that was read from.
func (d *Reader) Close() error {
	d.close()
	if d.err == nil {
		d.err = errors.New("read after close")
	}
	return nil
}

const gzipBlock = 1 << 20

// NewWriter compresses to w with the compressor's default level: gzip 6 on all
// processors, without a name and a time in its header, or zstd 3. Closing it
// ends the stream, but does not close w.
func NewWriter(w io.Writer, kind Kind) (io.WriteCloser, error) {
	switch kind {
	case None:
		return nopCloser{w}, nil
	case Gzip:
		z, err := pgzip.NewWriterLevel(w, 6)
		if err != nil {
			return nil, err
		}
		z.OS = 255                  // unknown
		z.ModTime = time.Unix(0, 0) // none
		// The size of the blocks decides the bytes; how many are worked on does not.
		if err := z.SetConcurrency(gzipBlock, max(2, runtime.GOMAXPROCS(0))); err != nil {
			return nil, err
		}
		return z, nil
	case Zstd:
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(8<<20),
			zstd.WithEncoderCRC(true), zstd.WithEncoderConcurrency(1))
	}
	return nil, fmt.Errorf("unknown compression %d", kind)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
