package logstream

import "cloudai/worker/internal/executor"

// window holds the newest chunks in the order of their arrival. Per stream it
// covers all bytes from base on. Chunks are numbered, so that a reader finds
// its place again.
type window struct {
	chunks []Chunk
	first  uint64 // number of chunks[0]
	weight int
	base   executor.Offsets
}

func (w *window) push(c Chunk) {
	w.chunks = append(w.chunks, c)
	w.weight += c.weight()
}

// trim drops the oldest chunks until the rest weighs at most limit; the newest
// stays.
func (w *window) trim(limit int) {
	for w.weight > limit && len(w.chunks) > 1 {
		w.drop()
	}
}

// trimTail leaves the last limit bytes, in few enough chunks. The slice is
// made anew: the old one may have held a whole window.
func (w *window) trimTail(limit int) {
	bytes := 0
	for _, c := range w.chunks {
		bytes += len(c.Data)
	}
	for len(w.chunks) > 0 && bytes > limit {
		over := bytes - limit
		oldest := &w.chunks[0]
		if len(oldest.Data) > over {
			// A copy, so that the rest of a large chunk can go.
			cut := oldest.from(oldest.Offset + int64(over))
			cut.Data = append([]byte(nil), cut.Data...)
			w.weight -= over
			*offset(&w.base, cut.Stream) = cut.Offset
			*oldest = cut
			break
		}
		bytes -= len(oldest.Data)
		w.drop()
	}
	for len(w.chunks) > maxTailChunks {
		w.drop()
	}
	w.chunks = append([]Chunk(nil), w.chunks...)
}

func (w *window) drop() {
	oldest := w.chunks[0]
	*offset(&w.base, oldest.Stream) = oldest.end()
	w.weight -= oldest.weight()
	w.chunks[0] = Chunk{}
	w.chunks = w.chunks[1:]
	w.first++
}

// restart empties the window; it covers the log from base on.
func (w *window) restart(base executor.Offsets) {
	w.first += uint64(len(w.chunks))
	w.chunks, w.weight, w.base = nil, 0, base
}

func (w *window) all() []Chunk { return append([]Chunk(nil), w.chunks...) }

// covers reports whether all bytes from pos on that were kept are here.
func (w *window) covers(pos executor.Offsets) bool {
	return pos.Stdout >= w.base.Stdout && pos.Stderr >= w.base.Stderr
}

// Limits of what a reader takes at a time, so that the lock is held briefly.
const (
	batchChunks = 64
	batchBytes  = 256 << 10
)

// read returns chunks from number next and position pos on, and the number and
// position after them. The data is shared, never written again.
func (w *window) read(next uint64, pos executor.Offsets) ([]Chunk, uint64, executor.Offsets) {
	next = max(next, w.first)
	var out []Chunk
	bytes := 0
	for ; next < w.first+uint64(len(w.chunks)) && len(out) < batchChunks && bytes < batchBytes; next++ {
		c := w.chunks[next-w.first]
		at := offset(&pos, c.Stream)
		if c.end() <= *at {
			continue
		}
		c = c.from(*at)
		*at = c.end()
		out = append(out, c)
		bytes += len(c.Data)
	}
	return out, next, pos
}

// overflow takes what comes after the limit: it counts, and keeps the tail.
type overflow struct {
	cut  executor.Offsets // what was kept before, per stream
	next executor.Offsets // end of what was dropped, per stream
	keep int
	tail []Chunk
	size int
}

func (o *overflow) add(c Chunk) {
	o.tail = append(o.tail, c)
	o.size += len(c.Data)
	for len(o.tail) > 0 && (o.size > o.keep || len(o.tail) > maxTailChunks) {
		oldest := &o.tail[0]
		if over := o.size - o.keep; over > 0 && len(oldest.Data) > over {
			*oldest = oldest.from(oldest.Offset + int64(over))
			o.size -= over
			*offset(&o.next, oldest.Stream) = oldest.Offset
			continue
		}
		o.size -= len(oldest.Data)
		*offset(&o.next, oldest.Stream) = oldest.end()
		o.tail[0] = Chunk{}
		o.tail = o.tail[1:]
	}
}

// chunks is what follows the cut: a marker per stream that lost something,
// then the tail.
func (o *overflow) chunks() []Chunk {
	var out []Chunk
	for _, s := range []executor.Stream{executor.Stdout, executor.Stderr} {
		from, to := *offset(&o.cut, s), *offset(&o.next, s)
		if to > from {
			out = append(out, Chunk{Stream: s, Offset: from, Dropped: to - from})
		}
	}
	return append(out, o.tail...)
}
