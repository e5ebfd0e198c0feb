package logs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"cloudai/master/internal/cluster"
)

// layout says which files a log has.
type layout uint8

const (
	layoutNone layout = iota
	layoutPair        // .log and .idx
	layoutPack        // .pack
)

// checkpointBytes of data or index may be unflushed while a log grows; it
// bounds what has to be verified after a crash.
const checkpointBytes = 8 << 20

// disk is one log's files. It belongs to one goroutine at a time. The files
// are open only within a call, so that idle logs cost no descriptors. Writing
// goes by position: what a failed call has left is overwritten by the next.
type disk struct {
	base   string // path of the files without their extension
	root   *dirSync
	layout layout
	pos    position // written
	synced position // flushed
	linked bool     // the folder entries are flushed too
	torn   bool     // a flush has failed; what it should have flushed is suspect
}

// begin starts a batch at the present position.
func (d *disk) begin() *batch {
	return &batch{from: d.pos, pos: d.pos, durable: d.synced == d.pos}
}

// write appends the batch, without a flush unless much has gathered.
func (d *disk) write(b *batch) error {
	if len(b.entries) == 0 {
		return nil
	}
	mode := os.O_WRONLY | os.O_CREATE
	if d.layout == layoutNone {
		if err := os.MkdirAll(filepath.Dir(d.base), 0o700); err != nil {
			return err
		}
		mode |= os.O_TRUNC
	}
	// The index comes to be first: a .log without it is nothing.
	idx, err := os.OpenFile(d.base+".idx", mode, 0o600)
	if err != nil {
		return err
	}
	defer idx.Close()
	if err := writeFile(d.base+".log", mode, b.data, b.from.size); err != nil {
		return err
	}
	if _, err := idx.WriteAt(b.index(), b.from.entries*entrySize); err != nil {
		return err
	}
	d.layout, d.pos = layoutPair, b.pos
	if d.pos.size-d.synced.size > checkpointBytes || (d.pos.entries-d.synced.entries)*entrySize > checkpointBytes {
		return d.sync()
	}
	return nil
}

func writeFile(path string, mode int, data []byte, at int64) error {
	f, err := os.OpenFile(path, mode, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(data, at); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// sync flushes all that was written. After a failure the kernel may hold pages
// as clean that never reached the disk, so the next attempt writes them anew.
func (d *disk) sync() error {
	if d.layout != layoutPair || d.synced == d.pos {
		return nil
	}
	parts := []struct {
		path     string
		from, to int64
	}{
		{d.base + ".log", d.synced.size, d.pos.size},
		{d.base + ".idx", d.synced.entries * entrySize, d.pos.entries * entrySize},
	}
	for _, p := range parts {
		if err := syncFile(p.path, p.from, p.to, d.torn); err != nil {
			d.torn = true
			return err
		}
	}
	if err := d.link(); err != nil {
		return err
	}
	d.synced, d.torn = d.pos, false
	return nil
}

// syncFile flushes a file, after writing its range [from, to) again if asked.
func syncFile(path string, from, to int64, rewrite bool) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if rewrite {
		_, err = io.Copy(io.NewOffsetWriter(f, from), io.NewSectionReader(f, from, to-from))
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// link flushes the folders that lead to the files.
func (d *disk) link() error {
	if d.linked {
		return nil
	}
	if err := syncDir(filepath.Dir(d.base)); err != nil {
		return err
	}
	if err := d.root.sync(); err != nil {
		return err
	}
	d.linked = true
	return nil
}

// seal writes the batch and the end of the log, all of it flushed. A log that
// has no byte gets no file.
func (d *disk) seal(b *batch, at int64) error {
	if d.layout == layoutNone {
		if b.pos.size > 0 && len(b.data) <= batchBytes {
			return d.pack(b, at)
		}
		if b.pos.size == 0 {
			d.pos.sealed = true
			return nil
		}
	}
	if err := d.write(b); err != nil {
		return err
	}
	if err := d.sync(); err != nil {
		return err
	}
	end := d.begin()
	end.lost = b.lost
	end.seal(at)
	if err := d.write(end); err != nil {
		return err
	}
	return d.sync()
}

// reopen takes the seal off. In a pair it stays on the disk until the next
// record takes its place.
func (d *disk) reopen() error {
	open := d.pos
	open.sealed = false
	if d.layout != layoutNone {
		open.entries--
	}
	if d.layout == layoutPack {
		return d.unpack(open)
	}
	d.pos, d.synced = open, open
	return nil
}

// unpack makes a pair of files of a pack. Should it not get to the end, what the
// pair lacks comes again from the worker.
func (d *disk) unpack(open position) error {
	all, err := os.ReadFile(d.base + ".pack")
	if err != nil {
		return err
	}
	const mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if err := writeFile(d.base+".log", mode, all[:open.size], 0); err != nil {
		return err
	}
	if err := writeFile(d.base+".idx", mode, all[open.size:open.size+open.entries*entrySize], 0); err != nil {
		return err
	}
	d.layout, d.pos, d.synced, d.linked = layoutPair, open, position{}, false
	if err := d.sync(); err != nil {
		return err
	}
	return os.Remove(d.base + ".pack")
}

// pack writes a whole log as one file that is complete or absent.
func (d *disk) pack(b *batch, at int64) error {
	b.seal(at)
	if err := os.MkdirAll(filepath.Dir(d.base), 0o700); err != nil {
		return err
	}
	temp := d.base + ".tmp"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b.data, b.index()...))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, d.base+".pack"); err != nil {
		return err
	}
	if err := d.link(); err != nil {
		return err
	}
	d.layout, d.pos, d.synced = layoutPack, b.pos, b.pos
	return nil
}

// open opens what a reader needs of a log that has size bytes.
func (d layout) open(base string, size int64) (readFiles, error) {
	if d == layoutPack {
		f, err := os.Open(base + ".pack")
		if err != nil {
			return readFiles{}, gone(err)
		}
		return readFiles{data: f, idx: f, idxAt: size}, nil
	}
	data, err := os.Open(base + ".log")
	if err != nil {
		return readFiles{}, gone(err)
	}
	idx, err := os.Open(base + ".idx")
	if err != nil {
		return readFiles{}, errors.Join(gone(err), data.Close())
	}
	return readFiles{data: data, idx: idx}, nil
}

// gone says of a file that is not there any more what readers understand.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the log was removed", cluster.ErrNotFound)
	}
	return err
}
