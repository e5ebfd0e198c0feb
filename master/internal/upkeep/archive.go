package upkeep

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// An archive is a gzipped tar: about.json first, then every member with its
// SHA-256 in its header, so that what is wrong is known at its place, and last
// manifest.json with the size and SHA-256 of each, without which it is not whole.
const (
	formatVersion = 1
	aboutName     = "about.json"
	manifestName  = "manifest.json"
	sumRecord     = "CLOUDAI.sha256" // of a member's tar header
	maxJSON       = 256 << 20        // bytes of a manifest that is read
)

// Errors of an archive; wrapped with details.
var (
	// ErrDamaged: the archive is not what was written; names member and place.
	ErrDamaged = errors.New("the backup is damaged")
	// ErrTooNew: a newer version of the program wrote it.
	ErrTooNew = errors.New("the backup was written by a newer version")
	// ErrChanged: a file changed while it was being read.
	ErrChanged = errors.New("changed while it was read")
)

// About says what an archive is.
type About struct {
	Format    int            `json:"format"`
	Program   string         `json:"program"` // its version
	Schema    int            `json:"schema"`  // of the store
	ClusterID string         `json:"cluster_id"`
	CreatedAt time.Time      `json:"created_at"`
	Files     bool           `json:"files"` // output files and logs are in it
	Counts    map[string]int `json:"counts"`
}

// Member is one file of an archive.
type Member struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// manifest is the last member.
type manifest struct {
	Members []Member `json:"members"`
	Notes   []string `json:"notes"` // what a person should know
}

// archiveWriter writes one archive.
type archiveWriter struct {
	zip      *gzip.Writer
	tar      *tar.Writer
	manifest manifest
}

func newArchiveWriter(w io.Writer, about About) (*archiveWriter, error) {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	a := &archiveWriter{zip: zip, tar: tar.NewWriter(zip)}
	return a, a.addJSON(aboutName, about)
}

func (a *archiveWriter) addJSON(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	return a.add(Member{name, int64(len(b)), hex.EncodeToString(sum[:])}, bytesReader(b))
}

// add copies a member whose size and sum are known; ErrChanged when it is
// something else.
func (a *archiveWriter) add(m Member, r io.Reader) error {
	err := a.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: m.Name, Size: m.Size, Mode: 0o600, Format: tar.FormatPAX,
		PAXRecords: map[string]string{sumRecord: m.SHA256},
	})
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(a.tar, sum), io.LimitReader(r, m.Size))
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	if n != m.Size || hex.EncodeToString(sum.Sum(nil)) != m.SHA256 {
		return fmt.Errorf("%s: %w: %d bytes with another sum than was expected", m.Name, ErrChanged, n)
	}
	a.manifest.Members = append(a.manifest.Members, m)
	return nil
}

// addFile adds a file that nobody changes, as it is.
func (a *archiveWriter) addFile(name, path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return a.add(Member{name, size, hex.EncodeToString(sum.Sum(nil))}, f)
}

// close writes the manifest and the end.
func (a *archiveWriter) close() error {
	if err := a.addJSON(manifestName, a.manifest); err != nil {
		return err
	}
	return errors.Join(a.tar.Close(), a.zip.Close())
}
