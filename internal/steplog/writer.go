package steplog

import (
	"encoding/binary"
	"io"
	"math"
	"sync"
	"time"
)

// DefaultLimit is the size of a log when none is given, in bytes.
const DefaultLimit = 64 << 20

// Writer writes a log. It is used by several goroutines at once.
type Writer struct {
	w   io.WriterAt
	now func() time.Time
	layout

	mu    sync.Mutex
	block uint64 // number of the block that is written, from 0
	begun bool   // block has its header
	at    int    // offset in it, where the next record's stream goes
	last  int64  // time of the last record
	size  [3]int64
	buf   []byte
	err   error
}

// NewWriter begins a log in an empty file. It keeps about limit bytes, half of
// them of the beginning; 0 is [DefaultLimit], and a negative limit is none. A
// write costs one system call, and two where the middle is written over.
func NewWriter(w io.WriterAt, limit int64, now func() time.Time) (*Writer, error) {
	l := &Writer{w: w, now: now, layout: layoutOf(limit)}
	b := append([]byte(magic), make([]byte, 12)...)
	binary.LittleEndian.PutUint32(b[len(magic):], l.layout.size)
	binary.LittleEndian.PutUint32(b[len(magic)+4:], l.head)
	binary.LittleEndian.PutUint32(b[len(magic)+8:], l.ring)
	_, err := w.WriteAt(b, 0)
	return l, err
}

// layoutOf gives the layout of a log that keeps so many bytes.
func layoutOf(limit int64) layout {
	const block = 256 << 10
	if limit == 0 {
		limit = DefaultLimit
	}
	if limit < 0 {
		return layout{block, math.MaxUint32, 2}
	}
	l := layout{size: uint32(min(max(limit/16, minBlock), block))}
	half := limit / 2 / int64(l.size)
	l.head = uint32(min(max(half, 1), math.MaxUint32))
	l.ring = uint32(min(max(half, 2), math.MaxUint32))
	return l
}

// Write adds what a process wrote. After an error the log takes nothing more,
// and every call gives that error; what is in it can be read.
func (l *Writer) Write(s Stream, b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(b) > 0 && l.err == nil {
		if l.begun && int(l.layout.size)-l.at < min(len(b), minBlock/4)+overhead {
			l.block, l.begun = l.block+1, false
		}
		now := l.now().UnixNano()
		if !l.begun {
			l.err = l.begin(now)
			continue
		}
		n := min(len(b), int(l.layout.size)-l.at-overhead)
		if l.err = l.record(s, now, b[:n]); l.err == nil {
			l.size[s] += int64(n)
			b = b[n:]
		}
	}
	return l.err
}

// Size gives how many bytes of each stream were written, also those that are not
// kept.
func (l *Writer) Size() (stdout, stderr int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size[Stdout], l.size[Stderr]
}

// begin writes the header of a block.
func (l *Writer) begin(now int64) error {
	at := l.layout.at(l.block)
	if !l.grows() { // somebody may be reading what was there
		if _, err := l.w.WriteAt(make([]byte, 8), at); err != nil {
			return err
		}
	}
	b := make([]byte, blockHead, blockHead+1)
	if !l.grows() {
		b = append(b, 0)
	}
	binary.LittleEndian.PutUint64(b[8:], uint64(now))
	binary.LittleEndian.PutUint64(b[16:], uint64(l.size[Stdout]))
	binary.LittleEndian.PutUint64(b[24:], uint64(l.size[Stderr]))
	if _, err := l.w.WriteAt(b[8:], at+8); err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(b, l.block+1)
	if _, err := l.w.WriteAt(b[:8], at); err != nil {
		return err
	}
	l.begun, l.at, l.last = true, blockHead, now
	return nil
}

// grows tells whether the block is written for the first time, at the end of the
// file.
func (l *Writer) grows() bool { return l.block < uint64(l.head)+uint64(l.ring) }

// record writes a record.
func (l *Writer) record(s Stream, now int64, b []byte) error {
	delay := max(now-l.last, 0) // clocks are set back
	buf := append(l.buf[:0], byte(s))
	buf = binary.AppendUvarint(buf, uint64(delay))
	buf = binary.AppendUvarint(buf, uint64(len(b)))
	buf = append(buf, b...)
	l.buf = buf
	at := l.layout.at(l.block) + int64(l.at)
	if err := l.put(buf, at); err != nil {
		return err
	}
	l.at += len(buf)
	l.last += delay
	return nil
}

// put writes the bytes of a record so that a reader sees all of them or none.
func (l *Writer) put(buf []byte, at int64) error {
	if l.grows() { // the file ends behind what was written
		_, err := l.w.WriteAt(buf, at)
		return err
	}
	l.buf = append(buf, 0)
	if _, err := l.w.WriteAt(l.buf[1:], at+1); err != nil {
		return err
	}
	_, err := l.w.WriteAt(buf[:1], at)
	return err
}
