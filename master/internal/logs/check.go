package logs

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Report hears of something in a log's files: where, and in words what. A
// leftover is what an interrupted process has left: nothing that was promised is
// lost.
type Report func(file, place, what string, leftover bool)

// Check reads every log of a folder that no master has open, and reports what is
// not as it was written. It changes nothing.
func Check(ctx context.Context, dir string, report Report) error {
	tasks, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, task := range tasks {
		if !task.IsDir() || !safeName(task.Name()) {
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, task.Name()))
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := checkFile(filepath.Join(dir, task.Name(), f.Name()), report); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkFile(path string, report Report) error {
	base, ext := strings.TrimSuffix(path, filepath.Ext(path)), filepath.Ext(path)
	switch ext {
	case ".pack":
		return checkPack(path, report)
	case ".idx":
		if _, err := os.Lstat(base + ".pack"); err == nil {
			report(path, "", "lies beside a complete log and is not read", true)
			return nil
		}
		return checkPair(base, report)
	case ".log":
		if _, err := os.Lstat(base + ".idx"); errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Lstat(base + ".pack"); errors.Is(err, fs.ErrNotExist) {
				report(path, "", "a log without its index: nothing of it can be read", false)
			}
		}
	case ".tmp":
		report(path, "", "half written; the next start removes it", true)
	case ".damaged":
		report(path, "", "a damaged copy that was set aside; it was read from its worker again", true)
	}
	return nil
}

// checkPack reads a complete log, in which anything wrong is damage.
func checkPack(path string, report Report) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	seal, ok := readEntry(f, size-entrySize)
	if !ok || seal.flags&flagSealed == 0 || (size-seal.offset)%entrySize != 0 {
		report(path, fmt.Sprintf("byte %d", max(0, size-entrySize)), "the end of the log is not what was written: no byte of it can be read", false)
		return nil
	}
	s := scan{data: f, idx: f, idxAt: seal.offset, count: (size - seal.offset) / entrySize}
	why, err := s.run()
	if err != nil {
		return err
	}
	if why == "" && !s.pos.sealed {
		why = "it does not end where its end is"
	}
	if why != "" {
		report(path, s.place(), why+": the log can be read up to there", false)
	}
	return nil
}

// checkPair reads a growing log. What is wrong behind the last byte that was
// flushed is a torn end, which the next start cuts off.
func checkPair(base string, report Report) (err error) {
	idx, err := os.Open(base + ".idx")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, idx.Close()) }()
	data, err := os.Open(base + ".log")
	if errors.Is(err, fs.ErrNotExist) {
		report(base+".log", "", "the bytes of the log are missing", false)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Close()) }()
	info, err := idx.Stat()
	if err != nil {
		return err
	}
	s := scan{data: data, idx: idx, count: info.Size() / entrySize}
	why, err := s.run()
	if err != nil {
		return err
	}
	torn := s.pos.entries >= lastDurable(idx, s.count)
	switch {
	case why != "" && torn:
		report(base+".log", s.place(), why+": an end that was not flushed, which the next start cuts off", true)
	case why != "":
		report(base+".log", s.place(), why+": the log can be read up to there", false)
	case info.Size()%entrySize != 0 && !s.pos.sealed:
		report(base+".idx", fmt.Sprintf("byte %d", s.count*entrySize), "an entry is cut off, which the next start removes", true)
	}
	return nil
}

// scan reads a log from its beginning.
type scan struct {
	data, idx io.ReaderAt
	idxAt     int64 // where the entries begin
	count     int64
	pos       position
}

// place is how far the scan has come.
func (s *scan) place() string { return fmt.Sprintf("byte %d of the log", s.pos.size) }

// run goes on to the end, or to what is wrong, which it says.
func (s *scan) run() (why string, err error) {
	buf := make([]byte, maxRecord)
	for s.pos.entries < s.count {
		e, ok := readEntry(s.idx, s.idxAt+s.pos.entries*entrySize)
		switch {
		case !ok:
			return "an entry of the index is not what was written", nil
		case !s.pos.leads(e):
			return "an entry of the index does not follow the one before", nil
		}
		n, err := s.data.ReadAt(buf[:e.length], e.offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if n < int(e.length) || crc32.Checksum(buf[:e.length], castagnoli) != e.sum {
			return fmt.Sprintf("%d bytes are not what was written", e.length), nil
		}
		s.pos = s.pos.after(e)
	}
	return "", nil
}
