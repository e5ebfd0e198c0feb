package logs

import (
	"encoding/binary"
	"hash/crc32"

	"cloudai/master/internal/cluster"
)

const (
	entrySize = 48       // bytes of one entry in an index
	maxRecord = 16 << 10 // bytes of one record's data
	version   = 0xC1     // in each entry; tells the layout of this file's kind
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// flags of a record.
type flags uint8

const (
	flagPartial flags = 1 << iota // does not end at a line's end
	flagDurable                   // all before it was on the disk before it was written
	flagSealed                    // the log ends here; the entry has no data
	flagLost                      // the log of an attempt that was given up ends here
)

// entry describes one record: a run of whole lines, or a piece of one, of one
// stream and time.
type entry struct {
	offset int64              // of its first byte in the merged log
	time   int64              // Unix nanoseconds
	ends   cluster.LogOffsets // of both streams, after the record
	length int32              // bytes of data
	stream cluster.Stream
	flags  flags
	sum    uint32 // CRC-32C of the data
}

// end is the merged offset after the record.
func (e entry) end() int64 { return e.offset + int64(e.length) }

// appendTo encodes the entry: little-endian offset, time, stdout end, stderr
// end (8 bytes each), length (4), stream, flags, version, 0 (1 each), sum (4),
// and the CRC-32C of all that (4).
func (e entry) appendTo(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(e.offset))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.time))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.ends.Stdout))
	b = binary.LittleEndian.AppendUint64(b, uint64(e.ends.Stderr))
	b = binary.LittleEndian.AppendUint32(b, uint32(e.length))
	b = append(b, byte(e.stream), byte(e.flags), version, 0)
	b = binary.LittleEndian.AppendUint32(b, e.sum)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// decodeEntry reads entrySize bytes; false when they are not an entry that
// appendTo could have made.
func decodeEntry(b []byte) (entry, bool) {
	if len(b) != entrySize || b[38] != version || b[39] != 0 ||
		binary.LittleEndian.Uint32(b[44:]) != crc32.Checksum(b[:44], castagnoli) {
		return entry{}, false
	}
	e := entry{
		offset: int64(binary.LittleEndian.Uint64(b)),
		time:   int64(binary.LittleEndian.Uint64(b[8:])),
		ends: cluster.LogOffsets{
			Stdout: int64(binary.LittleEndian.Uint64(b[16:])),
			Stderr: int64(binary.LittleEndian.Uint64(b[24:])),
		},
		length: int32(binary.LittleEndian.Uint32(b[32:])),
		stream: cluster.Stream(b[36]),
		flags:  flags(b[37]),
		sum:    binary.LittleEndian.Uint32(b[40:]),
	}
	sane := e.offset >= 0 && e.end() >= e.offset && e.ends.Stdout >= 0 && e.ends.Stderr >= 0 &&
		e.length >= 0 && e.length <= maxRecord &&
		e.stream >= cluster.StreamStdout && e.stream <= cluster.StreamMarker &&
		(e.length == 0) == (e.flags&flagSealed != 0)
	return e, sane
}

// position is how far a log has come.
type position struct {
	size    int64              // merged bytes
	entries int64              // of the index, the seal included
	ends    cluster.LogOffsets // of both streams
	open    bool               // the last record does not end at a line's end
	sealed  bool
	lost    bool // its attempt was given up
}

// leads reports whether e can be the next record at this position.
func (p position) leads(e entry) bool {
	if p.sealed || e.offset != p.size {
		return false
	}
	n := int64(e.length)
	switch e.stream {
	case cluster.StreamStdout:
		return e.ends == cluster.LogOffsets{Stdout: p.ends.Stdout + n, Stderr: p.ends.Stderr}
	case cluster.StreamStderr:
		return e.ends == cluster.LogOffsets{Stdout: p.ends.Stdout, Stderr: p.ends.Stderr + n}
	case cluster.StreamMarker:
		return e.ends.Stdout >= p.ends.Stdout && e.ends.Stderr >= p.ends.Stderr
	}
	return false
}

// after is the position behind e.
func (p position) after(e entry) position {
	return position{
		size: e.end(), entries: p.entries + 1, ends: e.ends,
		open: e.flags&flagPartial != 0, sealed: e.flags&flagSealed != 0, lost: e.flags&flagLost != 0,
	}
}

func endOf(ends cluster.LogOffsets, s cluster.Stream) int64 {
	if s == cluster.StreamStderr {
		return ends.Stderr
	}
	return ends.Stdout
}

func advance(ends cluster.LogOffsets, s cluster.Stream, n int64) cluster.LogOffsets {
	if s == cluster.StreamStderr {
		ends.Stderr += n
	} else {
		ends.Stdout += n
	}
	return ends
}
