package steplog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Reader reads a log. It is used by one goroutine.
type Reader struct {
	r io.ReaderAt
	layout

	opened bool
	in     bool   // block is being read
	block  uint64 // number, from 0
	buf    []byte // the block, as far as it was read
	at     int    // offset in buf of the next record
	time   int64  // of the last record
	size   [3]int64
}

// NewReader gives a reader from the beginning. The file may be empty yet.
func NewReader(r io.ReaderAt) *Reader { return &Reader{r: r} }

// header is that of a block.
type header struct {
	number uint64
	time   int64
	size   [3]int64
}

// Next gives the next record; its data may be changed by the next call. At the
// end it gives io.EOF: while the log is being written, there may be more later.
// Memory is bounded by the format, whatever is in the file.
func (r *Reader) Next() (Record, error) {
	if !r.opened {
		if err := r.open(); err != nil {
			return Record{}, err
		}
	}
	for {
		if !r.in {
			gap, err := r.enter()
			if err != nil || gap.Stdout+gap.Stderr > 0 {
				return gap, err
			}
		}
		rec, ok, err := r.record()
		if ok || err != nil {
			return rec, err
		}
		if err := r.fill(); err != nil {
			return Record{}, err
		}
		if !r.in {
			continue // the block was written over
		}
		if rec, ok, err = r.record(); ok || err != nil {
			return rec, err
		}
		// What comes behind a block that another one follows is all there is of it.
		if over, err := r.over(); err != nil || !over {
			return Record{}, err
		}
		if err := r.fill(); err != nil {
			return Record{}, err
		}
		if !r.in {
			continue
		}
		if rec, ok, err = r.record(); ok || err != nil {
			return rec, err
		}
		r.in, r.block = false, r.block+1
	}
}

func (r *Reader) open() error {
	b := make([]byte, headerSize)
	n, err := r.r.ReadAt(b, 0)
	if n < len(b) {
		if !errors.Is(err, io.EOF) {
			return err
		}
		if m := min(n, len(magic)); string(b[:m]) != magic[:m] {
			return ErrFormat
		}
		return io.EOF
	}
	if !bytes.HasPrefix(b, []byte(magic)) {
		return ErrFormat
	}
	b = b[len(magic):]
	r.layout = layout{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])}
	if r.layout.size < minBlock || r.layout.size > maxBlock || r.head < 1 || r.ring < 2 {
		return fmt.Errorf("%w: blocks of %d bytes, %d and %d of them", ErrDamaged, r.layout.size, r.head, r.ring)
	}
	r.opened = true
	return nil
}

// headerAt reads the header of the block in a place; ok tells whether there is one.
func (r *Reader) headerAt(off int64) (h header, ok bool, err error) {
	b := make([]byte, blockHead)
	n, err := r.r.ReadAt(b, off)
	if n < len(b) {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return h, false, err
	}
	h.number = binary.LittleEndian.Uint64(b)
	h.time = int64(binary.LittleEndian.Uint64(b[8:]))
	for i := range 2 {
		n := binary.LittleEndian.Uint64(b[16+8*i:])
		if h.number != 0 && n > math.MaxInt64/4 {
			return h, false, fmt.Errorf("%w: block %d begins at byte %d", ErrDamaged, h.number, n)
		}
		h.size[Stdout+Stream(i)] = int64(n)
	}
	return h, h.number != 0, nil
}

// enter begins to read the block, or the first one behind it that is there: then
// the gap between them is told.
func (r *Reader) enter() (gap Record, err error) {
	h, ok, err := r.headerAt(r.layout.at(r.block))
	if err != nil {
		return gap, err
	}
	if !ok || h.number != r.block+1 {
		if h, err = r.oldest(); err != nil {
			return gap, err
		}
	}
	for s := Stdout; s <= Stderr; s++ {
		if h.size[s] < r.size[s] {
			return gap, fmt.Errorf("%w: block %d begins before the end of the one before it", ErrDamaged, h.number)
		}
	}
	gap = Record{Time: time.Unix(0, h.time), Stdout: h.size[Stdout] - r.size[Stdout], Stderr: h.size[Stderr] - r.size[Stderr]}
	r.in, r.block, r.size, r.time = true, h.number-1, h.size, h.time
	r.buf, r.at = r.buf[:0], 0
	return gap, nil
}

// oldest finds the first block of the ring that comes behind those that were
// read; io.EOF says that there is none.
func (r *Reader) oldest() (header, error) {
	var first header
	for i := range uint64(r.ring) {
		h, ok, err := r.headerAt(r.layout.at(uint64(r.head) + i))
		if err != nil {
			return first, err
		}
		if !ok && h.number == 0 && h.time == 0 {
			break // the end of the file
		}
		right := ok && h.number > uint64(r.head) && (h.number-1-uint64(r.head))%uint64(r.ring) == i
		if right && h.number > r.block && (first.number == 0 || h.number < first.number) {
			first = h
		}
	}
	if first.number == 0 {
		return first, io.EOF
	}
	return first, nil
}

// fill reads what is there of the block. If it was written over meanwhile, the
// reader is in none.
func (r *Reader) fill() error {
	if r.buf == nil {
		r.buf = make([]byte, 0, r.layout.size)
	}
	off := r.layout.at(r.block)
	n, err := r.r.ReadAt(r.buf[r.at:cap(r.buf)], off+int64(r.at))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	r.buf = r.buf[:r.at+n]
	if r.block < uint64(r.head) {
		r.at = max(r.at, blockHead)
		return nil
	}
	h, ok, err := r.headerAt(off)
	if err != nil {
		return err
	}
	if !ok || h.number != r.block+1 {
		r.in, r.block = false, r.block+1
	}
	r.at = max(r.at, blockHead)
	return nil
}

// over tells whether another block was begun behind this one; io.EOF says that
// none was.
func (r *Reader) over() (bool, error) {
	h, ok, err := r.headerAt(r.layout.at(r.block + 1))
	if err == nil && (!ok || h.number <= r.block+1) {
		err = io.EOF // or it is being written over right now
	}
	return err == nil, err
}

// record takes the next record out of the buffer, if it is there.
func (r *Reader) record() (rec Record, ok bool, err error) {
	if r.at < blockHead || r.at >= len(r.buf) || r.buf[r.at] == 0 {
		return rec, false, nil
	}
	b := r.buf[r.at:]
	growing := len(r.buf) < cap(r.buf)
	rec.Stream = Stream(b[0])
	damaged := func(what string) (Record, bool, error) {
		return Record{}, false, fmt.Errorf("%w: %s at byte %d of block %d", ErrDamaged, what, r.at, r.block)
	}
	if rec.Stream > Stderr {
		return damaged("there is no such stream")
	}
	b = b[1:]
	delay, n := binary.Uvarint(b)
	if n == 0 && growing {
		return Record{}, false, nil
	}
	if n <= 0 || delay > math.MaxInt64 || r.time > math.MaxInt64-int64(delay) {
		return damaged("a wrong time")
	}
	b = b[n:]
	size, m := binary.Uvarint(b)
	if growing && (m == 0 || m > 0 && size <= uint64(r.layout.size) && size > uint64(len(b)-m)) {
		return Record{}, false, nil // a part of it
	}
	if m <= 0 || size == 0 || size > uint64(len(b)-m) {
		return damaged("a record of a wrong size")
	}
	rec.Data = b[m : m+int(size) : m+int(size)]
	r.time += int64(delay)
	rec.Time = time.Unix(0, r.time)
	r.at += 1 + n + m + int(size)
	r.size[rec.Stream] += int64(size)
	return rec, true, nil
}
