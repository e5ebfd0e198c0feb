package logs

import (
	"fmt"
	"slices"

	"cloudai/master/internal/cluster"
)

const (
	tailBytes  = 64 << 10 // of a log beyond its limit are kept
	tailPieces = 8 << 10  // at most, so that tiny writes stay bounded too
)

// tail holds the newest end of a log that has passed its limit, until the log
// is finished. What falls out of it is counted and named by a marker.
type tail struct {
	pieces  []piece
	bytes   int // of data in pieces
	dropped cluster.LogOffsets
}

// piece is one stretch of a stream: data, or a gap that the worker named.
type piece struct {
	stream cluster.Stream
	time   int64
	data   []byte
	gap    int64 // bytes; with it data is empty
}

func (t *tail) empty() bool {
	return len(t.pieces) == 0 && t.dropped == cluster.LogOffsets{}
}

// add takes a copy of the end of data and lets go of what is now too old.
func (t *tail) add(s cluster.Stream, at int64, data []byte) {
	if over := len(data) - tailBytes; over > 0 {
		// All before this is out of reach, and its own beginning too.
		t.trim(tailBytes)
		t.dropped = advance(t.dropped, s, int64(over))
		data = data[over:]
	}
	t.trim(len(data))
	if n := len(t.pieces); n > 0 && t.pieces[n-1].takes(s, at, len(data)) {
		last := &t.pieces[n-1]
		last.data = append(last.data, data...)
	} else {
		t.pieces = append(t.pieces, piece{stream: s, time: at, data: slices.Clone(data)})
	}
	t.bytes += len(data)
}

// takes reports whether n bytes more may be put into the piece.
func (p *piece) takes(s cluster.Stream, at int64, n int) bool {
	apart := at - p.time
	return p.gap == 0 && p.stream == s && apart >= 0 && apart < int64(sameTime) && len(p.data)+n <= maxRecord
}

// gap notes bytes that are lost for ever.
func (t *tail) gap(s cluster.Stream, at, n int64) {
	if l := len(t.pieces); l > 0 && t.pieces[l-1].gap > 0 && t.pieces[l-1].stream == s {
		t.pieces[l-1].gap += n
		return
	}
	t.trim(0)
	if len(t.pieces) == 0 {
		t.dropped = advance(t.dropped, s, n)
		return
	}
	t.pieces = append(t.pieces, piece{stream: s, time: at, gap: n})
}

// trim makes room for n bytes and one piece. A gap at the front has nothing
// before it to stand after, so it is counted with what was dropped.
func (t *tail) trim(n int) {
	out := 0
	for ; out < len(t.pieces); out++ {
		p := &t.pieces[out]
		over := t.bytes + n - tailBytes
		if over <= 0 && p.gap == 0 && len(t.pieces)-out < tailPieces {
			break
		}
		if over > 0 && over < len(p.data) && len(t.pieces)-out < tailPieces {
			p.data = p.data[over:]
			t.bytes -= over
			t.dropped = advance(t.dropped, p.stream, int64(over))
			break
		}
		t.bytes -= len(p.data)
		t.dropped = advance(t.dropped, p.stream, int64(len(p.data))+p.gap)
	}
	clear(t.pieces[:out])
	t.pieces = t.pieces[out:]
}

// writeTo puts the marker and the pieces into the batch; t stays as it is,
// for the case that the batch cannot be written.
func (t *tail) writeTo(b *batch, at int64) {
	if (t.dropped != cluster.LogOffsets{}) {
		b.mark(at, dropText(t.dropped, " at the log's limit"), t.dropped)
	}
	for _, p := range t.pieces {
		if p.gap > 0 {
			b.drop(p.stream, p.time, p.gap)
			continue
		}
		b.text(p.stream, p.time, p.data)
	}
}

// drop marks n bytes of one stream as lost.
func (b *batch) drop(s cluster.Stream, at, n int64) {
	gone := advance(cluster.LogOffsets{}, s, n)
	b.mark(at, dropText(gone, ""), gone)
}

// dropText says in one line what is missing.
func dropText(gone cluster.LogOffsets, where string) string {
	var what string
	switch {
	case gone.Stderr == 0:
		what = fmt.Sprintf("%d bytes of stdout", gone.Stdout)
	case gone.Stdout == 0:
		what = fmt.Sprintf("%d bytes of stderr", gone.Stderr)
	default:
		what = fmt.Sprintf("%d bytes of stdout and %d bytes of stderr", gone.Stdout, gone.Stderr)
	}
	return "[cloudai] " + what + " were dropped" + where + "\n"
}
