package upkeep

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
)

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }

// counter knows how far an archive has been read.
type counter struct {
	*bufio.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	return n, err
}

func (c *counter) ReadByte() (byte, error) {
	b, err := c.Reader.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// archiveReader reads one archive and believes nothing of it.
type archiveReader struct {
	at    *counter
	zip   *gzip.Reader
	tar   *tar.Reader
	place string // what is being read
	seen  []Member
}

// damaged names the member and the place.
func (a *archiveReader) damaged(why any) error {
	return fmt.Errorf("%w: %s, at or before byte %d of the file: %v", ErrDamaged, a.place, a.at.n, why)
}

// readArchive verifies a whole archive and hands each member but the first and
// the last to put, which reads it to its end. What put has made of the members
// counts only when there is no error. check sees what the archive says of itself
// before that.
func readArchive(ctx context.Context, r io.Reader, check func(About) error, put func(Member, io.Reader) error) (About, error) {
	var about About
	a := &archiveReader{at: &counter{Reader: bufio.NewReaderSize(r, 1<<20)}, place: "its beginning"}
	var err error
	if a.zip, err = gzip.NewReader(a.at); err != nil {
		return about, a.damaged(err)
	}
	a.zip.Multistream(false)
	a.tar = tar.NewReader(a.zip)
	for {
		m, err := a.next(ctx)
		if err != nil {
			return about, err
		}
		switch {
		case len(a.seen) == 1:
			if m.Name != aboutName {
				return about, a.damaged("it does not begin with " + aboutName)
			}
			if err := a.json(m, &about); err != nil {
				return about, err
			}
			if about.Format > formatVersion {
				return about, fmt.Errorf("%w: its format is %d, this program knows %d", ErrTooNew, about.Format, formatVersion)
			}
			if err := check(about); err != nil {
				return about, err
			}
		case m.Name == manifestName:
			return about, a.end(m)
		default:
			if err := a.member(m, func(r io.Reader) error { return put(m, r) }); err != nil {
				return about, err
			}
		}
	}
}

// next reads a member's header.
func (a *archiveReader) next(ctx context.Context) (Member, error) {
	if err := ctx.Err(); err != nil {
		return Member{}, err
	}
	h, err := a.tar.Next()
	if errors.Is(err, io.EOF) {
		err = errors.New("it ends without " + manifestName)
	}
	if err != nil {
		return Member{}, a.damaged(fmt.Sprintf("what follows it: %v", err))
	}
	m := Member{Name: h.Name, Size: h.Size, SHA256: h.PAXRecords[sumRecord]}
	a.place = "member " + m.Name
	// "files/../x" is local, and beside the folder of files.
	if h.Typeflag != tar.TypeReg || m.SHA256 == "" || !filepath.IsLocal(m.Name) || path.Clean(m.Name) != m.Name {
		return m, a.damaged("no member of a backup")
	}
	a.seen = append(a.seen, m)
	return m, nil
}

// member has the content read through its sum.
func (a *archiveReader) member(m Member, read func(io.Reader) error) error {
	sum := sha256.New()
	from := &stopper{r: io.TeeReader(a.tar, sum)}
	if err := read(from); err != nil {
		if from.err != nil {
			return a.damaged(from.err)
		}
		return a.refused(m, err, from.begun)
	}
	if hex.EncodeToString(sum.Sum(nil)) != m.SHA256 {
		return a.damaged("its SHA-256 is not what was written")
	}
	return nil
}

// refused is why a member was not taken. One that was refused before anything of
// it was read may have an altered name, which only the archive's own sum tells:
// nothing else covers a name that stands in an extended header.
func (a *archiveReader) refused(m Member, why error, begun bool) error {
	damaged := a.damaged(why) // at this place, not at the end of what is read now
	if !begun {
		if _, err := io.Copy(io.Discard, a.zip); err != nil {
			return damaged
		}
	}
	return fmt.Errorf("%s: %w", m.Name, why)
}

// stopper remembers that it was reading that failed, and whether it has begun.
type stopper struct {
	r     io.Reader
	begun bool
	err   error
}

func (s *stopper) Read(b []byte) (int, error) {
	s.begun = true
	n, err := s.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

func (a *archiveReader) json(m Member, v any) error {
	var b []byte
	err := a.member(m, func(r io.Reader) (err error) {
		b, err = io.ReadAll(io.LimitReader(r, maxJSON))
		return err
	})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return a.damaged(err)
	}
	return nil
}

// end compares the manifest with what was there, and looks for anything behind
// it.
func (a *archiveReader) end(m Member) error {
	var all manifest
	if err := a.json(m, &all); err != nil {
		return err
	}
	got := a.seen[:len(a.seen)-1] // without the manifest itself
	if len(all.Members) != len(got) {
		return a.damaged(fmt.Sprintf("it names %d members, %d are there", len(all.Members), len(got)))
	}
	for i := range got {
		if got[i] != all.Members[i] {
			return a.damaged(fmt.Sprintf("it names %s, there is %s", all.Members[i].Name, got[i].Name))
		}
	}
	a.place = "its end"
	if _, err := a.tar.Next(); !errors.Is(err, io.EOF) {
		return a.damaged("something follows " + manifestName)
	}
	if _, err := io.Copy(io.Discard, a.zip); err != nil {
		return a.damaged(err)
	}
	if _, err := a.at.ReadByte(); !errors.Is(err, io.EOF) {
		return a.damaged("something follows the end")
	}
	return nil
}
