// Package steplog is the byte format of what a step's process said: every byte
// of both streams, in order, with the time at which it came.
//
//   - A [Writer] adds to a log while the process runs.
//   - A [Reader] reads one, also while it is written, and also one whose writer
//     was killed: what was written is there.
//
// A log has a greatest size, whatever a process says: the beginning is kept, and
// the end, and how much was left out between them is known.
//
// # Format
//
// Numbers are little-endian, but for uvarint, which is that of encoding/binary.
//
//	log    = header block*
//	header = "inlay log 1\n" size:uint32 head:uint32 ring:uint32
//	block  = number:uint64 time:int64 stdout:uint64 stderr:uint64 record* [0]
//	record = stream:byte delay:uvarint length:uvarint data
//
// All blocks but the last one have a place of size bytes. Block n, counted from
// 0, is in place n while n < head, and in place head + (n - head) mod ring
// afterwards: the first head blocks stay, and of the others the last ring are
// kept. A block's number is n + 1; 0 says that it is being written over.
// Its time is in nanoseconds since 1970, and delay, in nanoseconds, is added to it
// and to the delays of the records before. Stdout and stderr are how many bytes of
// each stream came before the block, so a reader that misses blocks knows what it
// missed. Stream is 1 for standard output and 2 for standard error; 0, or the end
// of the file, ends a block's records.
//
// While the file grows, a record is one write at its end; one of which a part is
// there is not there yet. Where blocks are written over, a record is written
// behind the 0 that it will replace, followed by the next 0, and then its stream
// over the first 0. Of a block that is written over the number becomes 0 first,
// and is set last. So who reads in between sees whole records, and no others.
package steplog

import (
	"errors"
	"time"
)

// Stream is where something was written to.
type Stream byte

// The streams. A gap is not in any file: a [Reader] tells of it.
const (
	Gap    Stream = 0
	Stdout Stream = 1
	Stderr Stream = 2
)

// ErrFormat is the error of a file that is no log, or one of another version.
var ErrFormat = errors.New("not a log of this version")

// ErrDamaged is the error of a log that no writer wrote so.
var ErrDamaged = errors.New("the log is damaged")

// Record is what a process wrote at once, or a part of it; or a gap.
type Record struct {
	Stream Stream
	Time   time.Time
	Data   []byte
	// Stdout and Stderr are how many bytes a gap left out.
	Stdout, Stderr int64
}

const (
	magic      = "inlay log 1\n"
	headerSize = len(magic) + 12
	blockHead  = 32
	// overhead is the most bytes of a record beside its data, and the 0 behind it.
	overhead = 1 + 10 + 4 + 1
	minBlock = 512
	maxBlock = 1 << 20
)

// layout says where blocks are.
type layout struct {
	size, head, ring uint32
}

// at gives the offset of block n.
func (l layout) at(n uint64) int64 {
	place := n
	if n >= uint64(l.head) {
		place = uint64(l.head) + (n-uint64(l.head))%uint64(l.ring)
	}
	return int64(headerSize) + int64(place)*int64(l.size)
}
