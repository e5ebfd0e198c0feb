package logs

import (
	"bytes"
	"hash/crc32"
	"time"
	"unicode/utf8"

	"cloudai/master/internal/cluster"
)

const (
	batchBytes   = 256 << 10 // a batch is written once it has so much data
	batchEntries = 4 << 10   // or so many records

	// sameTime is how far apart whole lines may be and still share a record;
	// it keeps the index small where lines come one by one.
	sameTime = time.Millisecond
)

// batch collects records that are written together.
type batch struct {
	from    position // where the batch begins
	pos     position // after its records
	data    []byte
	entries []entry
	durable bool // all before the batch is on the disk
	lost    bool // the log is sealed since its attempt was given up
}

func (b *batch) full() bool { return len(b.data) >= batchBytes || len(b.entries) >= batchEntries }

// text cuts data, whose first byte came at the time at (Unix nanoseconds),
// into records.
func (b *batch) text(s cluster.Stream, at int64, data []byte) {
	for len(data) > 0 {
		piece := data[:cut(data)]
		data = data[len(piece):]
		if e := b.growable(s, at, piece); e != nil {
			e.length += int32(len(piece))
			e.flags = e.flags&^flagPartial | partial(piece)
			e.ends = advance(e.ends, s, int64(len(piece)))
			b.data = append(b.data, piece...)
			b.pos.size, b.pos.ends, b.pos.open = e.end(), e.ends, e.flags&flagPartial != 0
			continue
		}
		b.add(entry{
			time: at, stream: s, length: int32(len(piece)), flags: partial(piece),
			ends: advance(b.pos.ends, s, int64(len(piece))),
		}, piece)
	}
}

// growable is the last record when piece may become part of it: the next
// piece of its unfinished line, or whole lines of its time.
func (b *batch) growable(s cluster.Stream, at int64, piece []byte) *entry {
	if len(b.entries) == 0 {
		return nil
	}
	e := &b.entries[len(b.entries)-1]
	if e.stream != s || int(e.length)+len(piece) > maxRecord {
		return nil
	}
	if e.flags&flagPartial != 0 {
		return e
	}
	if apart := at - e.time; partial(piece) != 0 || apart < 0 || apart >= int64(sameTime) {
		return nil
	}
	return e
}

// mark adds the master's own words on a line of their own; they stand for that
// many bytes of the two streams.
func (b *batch) mark(at int64, text string, instead cluster.LogOffsets) {
	if b.pos.open {
		text = "\n" + text
	}
	data := []byte(text)
	if len(data) > maxRecord {
		data = append(data[:maxRecord-1], '\n')
	}
	b.add(entry{
		time: at, stream: cluster.StreamMarker, length: int32(len(data)),
		ends: cluster.LogOffsets{
			Stdout: b.pos.ends.Stdout + instead.Stdout,
			Stderr: b.pos.ends.Stderr + instead.Stderr,
		},
	}, data)
}

// lose says of the last record that it tells of the attempt's loss. It counts
// also when the log's end does not reach the disk any more.
func (b *batch) lose() {
	b.entries[len(b.entries)-1].flags |= flagLost
	b.pos.lost = true
}

// seal ends the log.
func (b *batch) seal(at int64) {
	e := entry{time: at, stream: cluster.StreamMarker, ends: b.pos.ends, flags: flagSealed}
	if b.lost {
		e.flags |= flagLost
	}
	b.add(e, nil)
}

func (b *batch) add(e entry, data []byte) {
	e.offset = b.pos.size
	if b.durable && len(b.entries) == 0 {
		e.flags |= flagDurable
	}
	b.entries = append(b.entries, e)
	b.data = append(b.data, data...)
	b.pos = b.pos.after(e)
}

// index encodes the entries.
func (b *batch) index() []byte {
	out := make([]byte, 0, len(b.entries)*entrySize)
	for _, e := range b.entries {
		at := e.offset - b.from.size
		e.sum = crc32.Checksum(b.data[at:at+int64(e.length)], castagnoli)
		out = e.appendTo(out)
	}
	return out
}

// cut is how much of data makes the next record: all whole lines that fit, or
// as much as fits of a longer line, but no half of a UTF-8 sequence.
func cut(data []byte) int {
	window := data[:min(len(data), maxRecord)]
	if i := bytes.LastIndexByte(window, '\n'); i >= 0 {
		return i + 1
	}
	if len(window) == len(data) {
		return len(data)
	}
	for back := 1; back < utf8.UTFMax; back++ {
		if i := len(window) - back; utf8.RuneStart(window[i]) {
			if !utf8.FullRune(window[i:]) {
				return i
			}
			break
		}
	}
	return len(window)
}

func partial(piece []byte) flags {
	if piece[len(piece)-1] == '\n' {
		return 0
	}
	return flagPartial
}
