package capture

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/inlaybuild/inlay/digest"
)

// The form of a stat cache's file. Numbers are little-endian.
//
//	file   := "inlaystat1\n" record* digest      digest: 32 bytes, of all before it
//	record := major:4 minor:4 inode:8 size:8
//	          mtime-seconds:8 mtime-nanoseconds:4 ctime-seconds:8 ctime-nanoseconds:4
//	          plain:1 digest:32                  inodes ascending, no inode twice
const (
	recordMagic = "inlaystat1\n"
	recordSize  = 4 + 4 + 8 + 8 + 8 + 4 + 8 + 4 + 1 + digest.Size
)

var errRecords = errors.New("malformed stat cache")

func encodeRecords(records []record) []byte {
	b := make([]byte, 0, len(recordMagic)+len(records)*recordSize+digest.Size)
	b = append(b, recordMagic...)
	le := binary.LittleEndian
	for i := range records {
		r := &records[i]
		b = le.AppendUint32(b, r.inode.major)
		b = le.AppendUint32(b, r.inode.minor)
		b = le.AppendUint64(b, r.inode.ino)
		b = le.AppendUint64(b, r.size)
		b = le.AppendUint64(b, uint64(r.mtime.sec))
		b = le.AppendUint32(b, r.mtime.nsec)
		b = le.AppendUint64(b, uint64(r.ctime.sec))
		b = le.AppendUint32(b, r.ctime.nsec)
		if r.plain {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
		b = r.digest.Append(b)
	}
	return digest.Of(b).Append(b)
}

func decodeRecords(b []byte) ([]record, error) {
	n := len(b) - len(recordMagic) - digest.Size
	if n < 0 || n%recordSize != 0 || string(b[:len(recordMagic)]) != recordMagic {
		return nil, errRecords
	}
	want, err := digest.FromSum(b[len(b)-digest.Size:])
	if err != nil || digest.Of(b[:len(b)-digest.Size]) != want {
		return nil, errRecords
	}
	le := binary.LittleEndian
	records := make([]record, n/recordSize)
	for i, b := 0, b[len(recordMagic):]; i < len(records); i, b = i+1, b[recordSize:] {
		r := &records[i]
		r.inode = inode{le.Uint32(b), le.Uint32(b[4:]), le.Uint64(b[8:])}
		r.size = le.Uint64(b[16:])
		r.mtime = stamp{int64(le.Uint64(b[24:])), le.Uint32(b[32:])}
		r.ctime = stamp{int64(le.Uint64(b[36:])), le.Uint32(b[44:])}
		r.plain = b[48] == 1
		if r.digest, err = digest.FromSum(b[49:recordSize]); err != nil || b[48] > 1 {
			return nil, errRecords
		}
	}
	if !slices.IsSortedFunc(records, func(a, b record) int { return compareInodes(a.inode, b.inode) }) {
		return nil, errRecords
	}
	return records, nil
}
