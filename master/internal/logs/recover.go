package logs

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// DamageError says where a log is not what was written. Data before Offset
// can be read.
type DamageError struct {
	File   string
	Offset int64 // bytes, in the merged log
}

// Error names file and place.
func (e *DamageError) Error() string {
	return fmt.Sprintf("log file %s is damaged at byte %d of the log", e.File, e.Offset)
}

// load finds out what is there after a start, and cuts a torn end off.
func (d *disk) load() error {
	d.forget()
	if _, err := os.Lstat(filepath.Dir(d.base)); errors.Is(err, fs.ErrNotExist) {
		return nil // the usual case for a new task, in one call
	}
	// A whole log comes first: what lies beside it is of a write that failed,
	// for want of room perhaps, before the log was written in one go.
	pack, err := os.Open(d.base + ".pack")
	if err == nil {
		return errors.Join(d.loadPack(pack), pack.Close())
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	idx, err := os.OpenFile(d.base+".idx", os.O_RDWR, 0)
	if err == nil {
		return errors.Join(d.loadPair(idx), idx.Close())
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// setAside renames the files of a damaged log, for people to look at. They go
// when the task's logs are removed.
func (d *disk) setAside() error {
	for _, ext := range []string{".idx", ".log", ".pack"} {
		if err := os.Rename(d.base+ext, d.base+ext+".damaged"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	d.forget()
	return nil
}

// forget goes back to knowing nothing of the files.
func (d *disk) forget() {
	d.layout, d.pos, d.synced, d.linked, d.torn = layoutNone, position{}, position{}, false, false
}

// loadPack reads the seal at the end of a whole log. Its file came to be by a
// rename after a flush, so anything wrong with it is damage, not a torn write.
func (d *disk) loadPack(f *os.File) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	e, ok := readEntry(f, size-entrySize)
	if !ok || e.flags&flagSealed == 0 || (size-e.offset)%entrySize != 0 {
		return &DamageError{File: f.Name(), Offset: 0}
	}
	d.pos = position{size: e.offset, entries: (size - e.offset) / entrySize, ends: e.ends, sealed: true, lost: e.flags&flagLost != 0}
	d.synced, d.layout, d.linked = d.pos, layoutPack, true
	return nil
}

// loadPair finds the last whole record of a pair of files: that after which
// nothing is missing since the last entry known to be durable. A log whose
// seal is there was flushed before and is taken as it is.
func (d *disk) loadPair(idx *os.File) error {
	log, err := os.OpenFile(d.base+".log", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	size, err := idx.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	count := size / entrySize
	d.layout = layoutPair
	if last, ok := readEntry(idx, (count-1)*entrySize); ok && last.flags&flagSealed != 0 && last.flags&flagDurable != 0 {
		d.pos = position{size: last.offset, entries: count, ends: last.ends, sealed: true, lost: last.flags&flagLost != 0}
		d.synced = d.pos
		return d.whole(log)
	}
	first := lastDurable(idx, count)
	if first > 0 {
		before, ok := readEntry(idx, (first-1)*entrySize)
		if !ok {
			return &DamageError{File: idx.Name(), Offset: 0}
		}
		d.pos = position{}.after(before)
		d.pos.entries = first
		d.synced = d.pos
		if err := d.whole(log); err != nil {
			return err
		}
	}
	if err := d.verify(log, idx, count); err != nil {
		return err
	}
	return errors.Join(log.Truncate(d.pos.size), idx.Truncate(d.pos.entries*entrySize))
}

// whole refuses a file that is shorter than what was flushed to it.
func (d *disk) whole(log *os.File) error {
	info, err := log.Stat()
	if err == nil && info.Size() < d.synced.size {
		err = &DamageError{File: log.Name(), Offset: info.Size()}
	}
	return err
}

// lastDurable looks back from entry count for one that was written after a
// flush; 0 when there is none, the beginning needing none.
func lastDurable(idx *os.File, count int64) int64 {
	const block = 512
	buf := make([]byte, block*entrySize)
	for end := count; end > 0; end -= min(block, end) {
		begin := max(0, end-block)
		part := buf[:(end-begin)*entrySize]
		if _, err := idx.ReadAt(part, begin*entrySize); err != nil {
			continue
		}
		for i := end - begin - 1; i >= 0; i-- {
			e, ok := decodeEntry(part[i*entrySize : (i+1)*entrySize])
			if ok && e.flags&flagDurable != 0 {
				return begin + i
			}
		}
	}
	return 0
}

// verify moves the position forward over all records that are whole.
func (d *disk) verify(log, idx *os.File, count int64) error {
	const block = 512
	entries := make([]byte, block*entrySize)
	data := make([]byte, maxRecord)
	for d.pos.entries < count {
		part := entries[:min(block, count-d.pos.entries)*entrySize]
		if _, err := idx.ReadAt(part, d.pos.entries*entrySize); err != nil {
			return err
		}
		for ; len(part) > 0; part = part[entrySize:] {
			e, ok := decodeEntry(part[:entrySize])
			if !ok || !d.pos.leads(e) || e.flags&flagSealed != 0 {
				return nil
			}
			_, err := log.ReadAt(data[:e.length], e.offset)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if crc32.Checksum(data[:e.length], castagnoli) != e.sum {
				return nil
			}
			d.pos = d.pos.after(e)
		}
	}
	return nil
}

// readEntry reads the entry at a byte of the file; false when there is none.
func readEntry(f io.ReaderAt, at int64) (entry, bool) {
	var buf [entrySize]byte
	if at < 0 {
		return entry{}, false
	}
	if _, err := f.ReadAt(buf[:], at); err != nil {
		return entry{}, false
	}
	return decodeEntry(buf[:])
}
