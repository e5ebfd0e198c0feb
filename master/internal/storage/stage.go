package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"cloudai/master/internal/cluster"
)

// Chunk is a piece of one output file.
type Chunk struct {
	Path   string // relative to /output, slash separated
	Offset int64  // of Data in the file
	Data   []byte
	Last   bool   // the file ends after Data
	Size   int64  // of the whole file; 0: not said
	Mode   uint32 // permission bits; only those to read and execute are kept
	SHA256 string // with Last: of the whole file, hex; empty: not said
}

// StagedFile is how far the upload of one file has come.
type StagedFile struct {
	Path     string
	Received int64 // bytes, without holes from 0
	Complete bool
}

// upload is one file of a stage as this process has seen it come.
type upload struct {
	received int64
	complete bool
	hash     hash.Hash // running; nil when it was not seen from its first byte
	hashed   bool      // sum is that of the complete file
	said     bool      // sum is what the worker says of the complete file
	sum      [sha256.Size]byte
	kind     string // what its first bytes look like; empty: not seen
}

// WriteChunk adds a piece to an attempt's file. Pieces of a file come in
// order; what is there already is skipped. cluster.ErrConflict for a hole, or
// for bytes after the end; cluster.ErrStaleAttempt after Discard; cluster.ErrInvalid for a path that is none;
// cluster.ErrQuota when the disk has too little left, the files are too many,
// or the file does not fit into its owner's quota; what has come of it is
// removed then, to make room for those that do.
func (k *Keeper) WriteChunk(owner cluster.UserID, ref cluster.AttemptRef, c Chunk) error {
	if err := CheckPath(c.Path); err != nil {
		return err
	}
	said, err := sumOf(c)
	if err != nil {
		return err
	}
	s, err := k.lock(context.Background(), ref)
	if err != nil {
		return err
	}
	defer k.unlock(ref, s)
	if k.isOver(ref) {
		return fmt.Errorf("%w: attempt %d of task %s is over", cluster.ErrStaleAttempt, ref.Attempt, ref.TaskID)
	}
	up, err := k.uploadOf(s, c.Path)
	if err != nil {
		return err
	}
	end := c.Offset + int64(len(c.Data))
	switch {
	case c.Offset < 0 || end < c.Offset:
		return fmt.Errorf("%w: offset %d of %q", cluster.ErrInvalid, c.Offset, c.Path)
	case c.Offset > up.received:
		return fmt.Errorf("%w: %q has %d bytes, the piece begins at %d", cluster.ErrConflict, c.Path, up.received, c.Offset)
	case up.complete && end > up.received:
		return fmt.Errorf("%w: %q is complete with %d bytes", cluster.ErrConflict, c.Path, up.received)
	case c.Last && end < up.received:
		// Not the file that was begun; it has to come anew.
		return errors.Join(
			fmt.Errorf("%w: %q had %d bytes, its end is at %d", cluster.ErrConflict, c.Path, up.received, end),
			k.dropFile(s, c.Path))
	}
	data := c.Data[min(up.received-c.Offset, int64(len(c.Data))):]
	if len(data) > 0 || s.files[c.Path] == nil {
		if err := k.add(owner, s, c, up, data); err != nil {
			return err
		}
	}
	s.know(c.Path, up)
	up.take(data, c.Last)
	if said == nil || !up.complete {
		return nil
	}
	if up.hashed && up.sum != *said {
		return errors.Join(
			fmt.Errorf("%w: %q did not come as it was sent", cluster.ErrConflict, c.Path),
			k.dropFile(s, c.Path))
	}
	up.said, up.sum = true, *said
	return nil
}

// sumOf reads the sum that comes with the last piece of a file; nil without.
func sumOf(c Chunk) (*[sha256.Size]byte, error) {
	if !c.Last || c.SHA256 == "" {
		return nil, nil
	}
	raw, err := hex.DecodeString(c.SHA256)
	if err != nil || len(raw) != sha256.Size {
		return nil, fmt.Errorf("%w: sha256 %.80q of %q", cluster.ErrInvalid, c.SHA256, c.Path)
	}
	return (*[sha256.Size]byte)(raw), nil
}

// uploadOf gives what is known of a file: from this process's memory or, after
// a restart, from the disk.
func (k *Keeper) uploadOf(s *stage, name string) (*upload, error) {
	if up := s.files[name]; up != nil {
		return up, nil
	}
	info, err := k.root.Lstat(path.Join(s.dir, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &upload{hash: sha256.New()}, nil
	case err != nil:
		return nil, fmt.Errorf("look at %q: %w", name, hostile(err))
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %q is a folder", cluster.ErrInvalid, name)
	case info.Size() == 0:
		return &upload{hash: sha256.New()}, nil
	}
	return &upload{received: info.Size()}, nil
}

func (s *stage) know(name string, up *upload) {
	if s.files == nil {
		s.files = make(map[string]*upload)
	}
	s.files[name] = up
}

// take notes bytes that were written.
func (u *upload) take(data []byte, last bool) {
	if u.received == 0 && len(data) > 0 {
		u.kind = http.DetectContentType(data)
	}
	u.received += int64(len(data))
	if u.hash != nil {
		u.hash.Write(data)
	}
	if last && !u.complete {
		u.complete = true
		if u.hash != nil {
			u.hash.Sum(u.sum[:0])
			u.hash, u.hashed = nil, true
		}
	}
}

// add writes the next bytes of a file while there is room for them.
func (k *Keeper) add(owner cluster.UserID, s *stage, c Chunk, up *upload, data []byte) error {
	n := int64(len(data))
	if err := k.room(len(s.files), s.files[c.Path] == nil, n); err != nil {
		return err
	}
	rest := max(c.Size-up.received-n, 0)
	if err := k.use.grow(s.dir, owner, n, rest, k.quota(owner)); err != nil {
		return errors.Join(err, k.dropFile(s, c.Path))
	}
	if err := k.write(s.dir, c, up.received, data); err != nil {
		k.use.shrink(s.dir, n)
		return fmt.Errorf("write %q: %w", c.Path, hostile(full(err)))
	}
	k.received.Add(n)
	return nil
}

// room refuses n more bytes, or a new file, while there is still something
// left of the disk.
func (k *Keeper) room(files int, another bool, n int64) error {
	if another && files >= k.maxFiles {
		return fmt.Errorf("%w: more than %d files", cluster.ErrQuota, k.maxFiles)
	}
	if n == 0 {
		return nil
	}
	free, err := k.free()
	if err != nil {
		return fmt.Errorf("ask for the free disk space: %w", err)
	}
	if free-n < k.reserve {
		return fmt.Errorf("%w: %d MiB of disk are free, %d MiB are reserved", cluster.ErrQuota, free>>20, k.reserve>>20)
	}
	return nil
}

// write puts data at its place; the file, and what leads to it, come to be
// with its first piece.
func (k *Keeper) write(dir string, c Chunk, at int64, data []byte) error {
	name := path.Join(dir, c.Path)
	mode := fs.FileMode(c.Mode)&0o555 | 0o600
	flags := os.O_WRONLY | os.O_CREATE
	if at == 0 {
		flags |= os.O_TRUNC
	}
	f, err := k.root.OpenFile(name, flags, mode)
	// More than once, since another attempt of the task may just remove the
	// folder above both, which is empty for a moment.
	for try := 0; try < 3 && errors.Is(err, fs.ErrNotExist); try++ {
		if err = k.root.MkdirAll(path.Dir(name), 0o700); err == nil {
			f, err = k.root.OpenFile(name, flags, mode)
		}
	}
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, at)
	return errors.Join(err, f.Close())
}

// hostile maps what the system says of paths that contradict each other, such
// as a file and a folder of the same name.
func hostile(err error) error {
	for _, e := range []error{syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w: %w", cluster.ErrInvalid, err)
		}
	}
	return err
}

func (k *Keeper) dropFile(s *stage, name string) error {
	size := int64(0)
	if up := s.files[name]; up != nil {
		size = up.received
	} else if info, err := k.root.Lstat(path.Join(s.dir, name)); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	delete(s.files, name)
	err := k.root.Remove(path.Join(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		k.use.shrink(s.dir, size)
	}
	return err
}

// Staged lists what has come of an attempt's files so far, for an upload that
// is to be resumed: at most limit of those whose paths come after the given one
// in comparePaths' order; more says that others follow. After a restart of the
// master a file counts as complete only when its last piece, which may be
// empty, has come again.
func (k *Keeper) Staged(ctx context.Context, ref cluster.AttemptRef, after string, limit int) (out []StagedFile, more bool, err error) {
	s, err := k.lock(ctx, ref)
	if err != nil {
		return nil, false, err
	}
	defer k.unlock(ref, s)
	err = walk(ctx, k.root, s.dir, func(name string, d fs.DirEntry) error {
		switch {
		case d.IsDir() && comparePaths(name, after) < 0 && !strings.HasPrefix(after, name+"/"):
			return fs.SkipDir
		case d.IsDir(), comparePaths(name, after) <= 0:
			return nil
		case len(out) == limit:
			more = true
			return fs.SkipAll
		}
		if up := s.files[name]; up != nil {
			out = append(out, StagedFile{name, up.received, up.complete})
			return nil
		}
		info, err := d.Info()
		if err == nil {
			out = append(out, StagedFile{Path: name, Received: info.Size()})
		}
		return err
	})
	return out, more, err
}

// comparePaths orders paths part by part, as a walk meets them.
func comparePaths(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}
