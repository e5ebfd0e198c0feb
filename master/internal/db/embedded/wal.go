package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"cloudai/master/internal/db"
)

// The write-ahead log as https://www.sqlite.org/fileformat2.html#walformat has
// it: a header, then frames of one page each. A frame counts when its salts are
// the header's, its checksum goes on from the frame before, and a frame that
// ends a transaction comes at it or after it.
const (
	walHeaderSize = 32
	frameHeader   = 24
	walMagic      = 0x377f0682 // the lowest bit says that checksums are big-endian
	maxPage       = 64 << 10
)

// walState is what is in a log.
type walState struct {
	size   int64
	frames int64 // that count, or would if their transaction had ended
	whole  int64 // of those, up to the end of the last whole transaction
	bad    int64 // where it stops to be what was written, in bytes; 0: it does not
	lost   int64 // frames behind that place
	ends   int64 // transactions behind that place
	header bool  // it is the header that is bad
}

// inspectWAL reads a log and changes nothing.
func inspectWAL(path string) (s walState, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return s, err
	}
	s.size = info.Size()
	w, ok := readWALHeader(f)
	if !ok {
		s.header = true
		return s, nil
	}
	return s, s.readFrames(f, w)
}

// walReader checks frames one after the other.
type walReader struct {
	order  binary.ByteOrder
	page   int64
	salts  [8]byte
	s1, s2 uint32 // of all so far
}

func readWALHeader(f io.ReaderAt) (w *walReader, ok bool) {
	var h [walHeaderSize]byte
	if _, err := f.ReadAt(h[:], 0); err != nil {
		return nil, false
	}
	magic := binary.BigEndian.Uint32(h[:])
	w = &walReader{order: binary.LittleEndian, page: int64(binary.BigEndian.Uint32(h[8:]))}
	if magic&1 != 0 {
		w.order = binary.BigEndian
	}
	if magic&^1 != walMagic || w.page < 512 || w.page > maxPage || w.page&(w.page-1) != 0 {
		return nil, false
	}
	copy(w.salts[:], h[16:24])
	w.sum(h[:24])
	return w, w.s1 == binary.BigEndian.Uint32(h[24:]) && w.s2 == binary.BigEndian.Uint32(h[28:])
}

func (w *walReader) sum(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		w.s1 += w.order.Uint32(b) + w.s2
		w.s2 += w.order.Uint32(b[4:]) + w.s1
	}
}

// ours reports whether a frame was written since the header was.
func (w *walReader) ours(frame []byte) bool { return [8]byte(frame[8:16]) == w.salts }

// goesOn reports whether the frame is what was written behind those before it.
func (w *walReader) goesOn(frame []byte) bool {
	w.sum(frame[:8])
	w.sum(frame[frameHeader:])
	return w.s1 == binary.BigEndian.Uint32(frame[16:]) && w.s2 == binary.BigEndian.Uint32(frame[20:])
}

// endsTransaction reads the size of the database after a commit, 0 elsewhere.
func endsTransaction(frame []byte) bool { return binary.BigEndian.Uint32(frame[4:]) != 0 }

func (s *walState) readFrames(f io.ReaderAt, w *walReader) error {
	frame := make([]byte, frameHeader+w.page)
	broken := false // what follows does not count any more
	at := int64(walHeaderSize)
	for ; at+int64(len(frame)) <= s.size; at += int64(len(frame)) {
		if _, err := f.ReadAt(frame, at); err != nil {
			return err
		}
		ours := w.ours(frame)
		if !broken && ours && w.goesOn(frame) {
			s.frames++
			if endsTransaction(frame) {
				s.whole = s.frames
			}
			continue
		}
		// Frames of before the header lie behind the end; none of ours does.
		if broken = true; !ours {
			continue
		}
		if s.bad == 0 {
			s.bad = walHeaderSize + s.frames*int64(len(frame))
		}
		s.lost++
		if endsTransaction(frame) {
			s.ends++
		}
	}
	if rest := s.size - at; rest > 0 && !broken {
		s.bad = at // the last frame is cut off
		if rest >= 16 {
			head := make([]byte, 16)
			if _, err := f.ReadAt(head, at); err != nil {
				return err
			}
			if !w.ours(head) {
				s.bad = 0 // what is cut off is of before the header
			}
		}
	}
	return nil
}

// findings puts it in words.
func (s walState) findings(path string) (list []db.Finding) {
	switch {
	case s.header:
		list = append(list, db.Finding{File: path, Place: "byte 0", What: fmt.Sprintf(
			"the write-ahead log's header is not what was written: none of its %d bytes counts, the store opens as the database file has it; what was acknowledged since the log was last moved into it is lost unless restored", s.size)})
	case s.bad > 0 && s.lost > 0:
		list = append(list, db.Finding{File: path, Place: fmt.Sprintf("byte %d", s.bad), What: fmt.Sprintf(
			"the write-ahead log is not what was written: from here on %d pages with the ends of %d transactions do not count, the store opens at its last whole transaction before (page %d of the log); what was acknowledged after that is lost unless restored",
			s.lost, s.ends, s.whole)})
	case s.bad > 0:
		list = append(list, db.Finding{File: path, Place: fmt.Sprintf("byte %d", s.bad), What: fmt.Sprintf(
			"the write-ahead log's end is cut off within a page, as after a power cut: the store opens at its last whole transaction before (page %d of the log)", s.whole)})
	case s.frames > s.whole:
		list = append(list, db.Finding{File: path, Place: fmt.Sprintf("page %d of the log", s.whole+1), What: fmt.Sprintf(
			"a transaction of %d pages has not ended: nobody was told that it is stored, and it does not count", s.frames-s.whole), Leftover: true})
	}
	return list
}
