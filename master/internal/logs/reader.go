package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"sort"
	"time"

	"cloudai/master/internal/cluster"
)

// ErrRange refuses an offset beyond the end of a log that is complete.
var ErrRange = errors.New("offset beyond the end of the log")

// A reader fetches so much at a time.
const (
	readEntries = 128
	readBytes   = 32 << 10
)

// ReadOptions say what of a log is read.
type ReadOptions struct {
	Offset int64          // first byte wanted, in the merged log; also within a record
	Tail   int            // if > 0: the last so many lines instead of Offset
	Follow bool           // wait for more until the log is complete
	Stream cluster.Stream // only this one, and the markers; 0: all
	Final  bool           // the attempt is over: nothing will be added
}

// Record is a stretch of a log with one time and stream: whole lines, or a
// piece of one.
type Record struct {
	Offset  int64 // of Data[0] in the merged log
	Time    time.Time
	Stream  cluster.Stream
	Data    []byte // valid until the next call of Next
	Partial bool   // Data does not end at a line's end
}

// Lines splits the record at its lines' ends; each line keeps its own.
func (r Record) Lines() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for len(r.Data) > 0 {
			line := r
			if i := bytes.IndexByte(r.Data, '\n'); i >= 0 {
				line.Data, line.Partial = r.Data[:i+1], false
			}
			if !yield(line) {
				return
			}
			r.Data = r.Data[len(line.Data):]
			r.Offset += int64(len(line.Data))
		}
	}
}

// Reader reads one log in order. It belongs to one goroutine and must be
// closed. It never holds up the writer.
type Reader struct {
	keeper *Keeper
	log    *attemptLog
	opt    ReadOptions

	offset int64 // next byte
	placed bool  // index was found for offset
	index  int64 // next entry to read

	files   readFiles
	ahead   []entry // read from the index, their data not yet
	entries []entry // fetched, not returned
	buf     []byte  // their data
	bufAt   int64   // the merged offset of buf[0]
}

// readFiles are open while there is something to read.
type readFiles struct {
	data, idx *os.File
	idxAt     int64 // where the index begins in its file
}

// Open begins to read a log. The log of an attempt of which nothing is known
// is empty. ErrRange when the offset is beyond the end of a complete log.
func (k *Keeper) Open(ctx context.Context, task cluster.TaskID, attempt int, opt ReadOptions) (*Reader, error) {
	if opt.Offset < 0 || opt.Tail < 0 {
		return nil, fmt.Errorf("%w: offset %d, tail %d", cluster.ErrInvalid, opt.Offset, opt.Tail)
	}
	l, err := k.acquire(key{task, attempt})
	if err != nil {
		return nil, err
	}
	r := &Reader{keeper: k, log: l, opt: opt, offset: opt.Offset}
	if err := r.begin(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Reader) begin(ctx context.Context) error {
	p := r.log.state(false)
	if !p.loaded {
		if err := r.log.lock(ctx); err != nil {
			return err
		}
		r.log.unlock()
		p = r.log.state(false)
	}
	if r.opt.Tail > 0 {
		if err := r.open(p); err != nil {
			return err
		}
		at, err := r.tail(p.pos, r.opt.Tail)
		r.offset = at
		return err
	}
	if r.offset > p.pos.size && (p.pos.sealed || r.opt.Final) {
		return fmt.Errorf("%w: is beyond the end of the log, which has %d bytes", ErrRange, p.pos.size)
	}
	return nil
}

// Offset is where the next byte would be read; a later reader that begins
// there sees no byte twice and misses none.
func (r *Reader) Offset() int64 { return r.offset }

// Close ends the reading.
func (r *Reader) Close() error {
	r.closeFiles()
	if r.log != nil {
		r.keeper.release(r.log)
		r.log = nil
	}
	return nil
}

func (r *Reader) closeFiles() {
	if f := r.files; f.data != nil {
		_ = f.data.Close() // only read
		if f.idx != f.data {
			_ = f.idx.Close()
		}
	}
	r.files = readFiles{}
}

// Next gives the next record. It returns io.EOF at the end of a complete log,
// or of what is there now without Follow; a *DamageError where the files are
// not what was written; ErrRange when the log was completed before the offset
// asked for; cluster.ErrNotFound when the log was removed.
func (r *Reader) Next(ctx context.Context) (Record, error) {
	for {
		if rec, ok := r.fetched(); ok {
			return rec, nil
		}
		if err := ctx.Err(); err != nil {
			return Record{}, err
		}
		p := r.log.state(r.opt.Follow)
		if p.removed {
			return Record{}, fmt.Errorf("%w: the log was removed", cluster.ErrNotFound)
		}
		if p.pos.size > r.offset {
			if err := r.fetch(p); err != nil {
				return Record{}, err
			}
			continue
		}
		if p.pos.sealed || r.opt.Final {
			if r.offset > p.pos.size {
				return Record{}, fmt.Errorf("%w: is beyond the end of the log, which has %d bytes", ErrRange, p.pos.size)
			}
			return Record{}, io.EOF
		}
		if !r.opt.Follow {
			return Record{}, io.EOF
		}
		r.closeFiles()
		select {
		case <-p.wake:
		case <-ctx.Done():
			return Record{}, ctx.Err()
		}
	}
}

// fetched takes the next wanted record out of what was fetched.
func (r *Reader) fetched() (Record, bool) {
	for len(r.entries) > 0 {
		e := r.entries[0]
		r.entries = r.entries[1:]
		from := max(r.offset, e.offset)
		r.offset = e.end()
		if e.length == 0 || !r.wants(e.stream) {
			continue
		}
		return Record{
			Offset:  from,
			Time:    time.Unix(0, e.time).UTC(),
			Stream:  e.stream,
			Data:    r.buf[from-r.bufAt : e.end()-r.bufAt],
			Partial: e.flags&flagPartial != 0,
		}, true
	}
	return Record{}, false
}

func (r *Reader) wants(s cluster.Stream) bool {
	return r.opt.Stream == 0 || s == r.opt.Stream || s == cluster.StreamMarker
}

// open makes sure that the files are open, if there are any.
func (r *Reader) open(p published) (err error) {
	if r.files.data == nil && p.layout != layoutNone {
		r.files, err = p.layout.open(r.log.base, p.pos.size)
	}
	return err
}

// fetch reads the next entries and their data, and verifies both.
func (r *Reader) fetch(p published) error {
	if err := r.open(p); err != nil {
		return err
	}
	if !r.placed {
		i, err := r.search(p.pos.entries)
		if err != nil {
			return err
		}
		r.index, r.placed = i, true
	}
	if len(r.ahead) == 0 {
		ahead, err := r.readEntries(r.index, min(readEntries, p.pos.entries-r.index))
		if err != nil {
			return err
		}
		r.ahead = ahead
		r.index += int64(len(ahead))
	}
	n := 1
	for n < len(r.ahead) && r.ahead[n].end()-r.ahead[0].offset <= readBytes {
		n++
	}
	entries := r.ahead[:n]
	r.bufAt = entries[0].offset
	size := entries[n-1].end() - r.bufAt
	if size > int64(cap(r.buf)) {
		r.buf = make([]byte, size)
	}
	r.buf = r.buf[:size]
	if err := r.readData(r.buf, entries); err != nil {
		return err
	}
	r.entries, r.ahead = entries, r.ahead[n:]
	return nil
}

// readData fills buf with the data of consecutive entries.
func (r *Reader) readData(buf []byte, entries []entry) error {
	at := entries[0].offset
	if _, err := r.files.data.ReadAt(buf, at); errors.Is(err, io.EOF) {
		return &DamageError{File: r.files.data.Name(), Offset: at}
	} else if err != nil {
		return err
	}
	for _, e := range entries {
		if crc32.Checksum(buf[e.offset-at:e.end()-at], castagnoli) != e.sum {
			return &DamageError{File: r.files.data.Name(), Offset: e.offset}
		}
	}
	return nil
}

// readEntries reads n entries from the i-th on; each must follow the other.
func (r *Reader) readEntries(i, n int64) ([]entry, error) {
	raw := make([]byte, n*entrySize)
	if _, err := r.files.idx.ReadAt(raw, r.files.idxAt+i*entrySize); errors.Is(err, io.EOF) {
		return nil, &DamageError{File: r.files.idx.Name(), Offset: r.offset}
	} else if err != nil {
		return nil, err
	}
	out := make([]entry, n)
	for j := range out {
		e, ok := decodeEntry(raw[j*entrySize : (j+1)*entrySize])
		if !ok || j > 0 && e.offset != out[j-1].end() {
			return nil, &DamageError{File: r.files.idx.Name(), Offset: r.offset}
		}
		out[j] = e
	}
	return out, nil
}

// search finds the entry in which the reader's offset lies.
func (r *Reader) search(count int64) (int64, error) {
	var failed error
	i := sort.Search(int(count), func(i int) bool {
		if failed != nil {
			return true
		}
		e, err := r.readEntries(int64(i), 1)
		if err != nil {
			failed = err
			return true
		}
		return e[0].end() > r.offset
	})
	return int64(i), failed
}

// tail finds where the last n lines of the wanted streams begin.
func (r *Reader) tail(p position, n int) (int64, error) {
	const block = 128
	last := true // nothing wanted has been seen behind this
	buf := make([]byte, maxRecord)
	for end := p.entries; end > 0; end -= min(block, end) {
		begin := max(0, end-block)
		entries, err := r.readEntries(begin, end-begin)
		if err != nil {
			return 0, err
		}
		for i := len(entries) - 1; i >= 0; i-- {
			e := entries[i]
			if e.length == 0 || !r.wants(e.stream) {
				continue
			}
			data := buf[:e.length]
			if err := r.readData(data, entries[i:i+1]); err != nil {
				return 0, err
			}
			if last {
				last = false
				data = bytes.TrimSuffix(data, []byte("\n")) // of the last line itself
			}
			for {
				at := bytes.LastIndexByte(data, '\n')
				if at < 0 {
					break
				}
				if n--; n == 0 {
					return e.offset + int64(at) + 1, nil
				}
				data = data[:at]
			}
		}
	}
	return 0, nil
}
