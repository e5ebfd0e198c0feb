package storage

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"cloudai/master/internal/cluster"
)

// Reading is one published file, open; it must be closed.
type Reading struct {
	*os.File
	done func()
}

// Close ends the reading.
func (r *Reading) Close() error {
	r.done()
	return r.File.Close()
}

// OpenFile opens one published file for reading and seeking, and gives its
// size. cluster.ErrNotFound when there is none.
func (k *Keeper) OpenFile(owner cluster.UserID, task cluster.TaskID, name string) (*Reading, int64, error) {
	home, err := homeOf(owner, task)
	if err != nil {
		return nil, 0, err
	}
	if err := CheckPath(name); err != nil {
		return nil, 0, err
	}
	done, err := k.read(home)
	if err != nil {
		return nil, 0, err
	}
	f, info, err := k.openRegular(path.Join(home, name))
	if err != nil {
		done()
		return nil, 0, err
	}
	return &Reading{File: f, done: done}, info.Size(), nil
}

// openRegular opens a file, and nothing that only looks like one.
func (k *Keeper) openRegular(name string) (*os.File, fs.FileInfo, error) {
	// Looking first keeps a fifo or a device from being opened at all.
	info, err := k.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(hostile(err), cluster.ErrInvalid) || err == nil && !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%w: file %q", cluster.ErrNotFound, path.Base(name))
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := k.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w: file %q", cluster.ErrNotFound, path.Base(name))
	}
	return f, info, err
}

// Format is an archive's format.
type Format string

// The formats.
const (
	FormatTarGz Format = "tar.gz"
	FormatZip   Format = "zip"
)

// Archive writes the files, which are rows of the task, into one archive. It
// needs constant memory. After an error the archive is not whole and must not
// be passed on as if it were.
func (k *Keeper) Archive(ctx context.Context, w io.Writer, owner cluster.UserID, task cluster.TaskID, files []cluster.File, format Format) error {
	home, err := homeOf(owner, task)
	if err != nil {
		return err
	}
	done, err := k.read(home)
	if err != nil {
		return err
	}
	defer done()
	var add func(cluster.File, fs.FileInfo, io.Reader) error
	var closers []io.Closer
	switch format {
	case FormatTarGz:
		z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
		if err != nil {
			return err
		}
		t := tar.NewWriter(z)
		closers = []io.Closer{t, z}
		add = func(f cluster.File, info fs.FileInfo, r io.Reader) error { return addTar(t, f, info, r) }
	case FormatZip:
		z := zip.NewWriter(w)
		closers = []io.Closer{z}
		add = func(f cluster.File, info fs.FileInfo, r io.Reader) error { return addZip(z, f, info, r) }
	default:
		return fmt.Errorf("%w: archive format %.20q, known are tar.gz and zip", cluster.ErrInvalid, format)
	}
	for _, f := range files {
		if err := k.archiveFile(ctx, home, f, add); err != nil {
			return fmt.Errorf("archive %q of task %s: %w", f.Path, task, err)
		}
	}
	for _, c := range closers {
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) archiveFile(ctx context.Context, home string, row cluster.File, add func(cluster.File, fs.FileInfo, io.Reader) error) error {
	if err := CheckPath(row.Path); err != nil {
		return err
	}
	f, info, err := k.openRegular(path.Join(home, row.Path))
	if err != nil {
		return err
	}
	defer f.Close()
	if info.Size() != row.Size {
		return fmt.Errorf("the file on the disk has %d bytes, not %d", info.Size(), row.Size)
	}
	return add(row, info, &contextReader{ctx, f})
}

func addTar(t *tar.Writer, row cluster.File, info fs.FileInfo, r io.Reader) error {
	err := t.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: row.Path, Size: row.Size,
		Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(),
	})
	if err != nil {
		return err
	}
	_, err = io.CopyN(t, r, row.Size)
	return err
}

func addZip(z *zip.Writer, row cluster.File, info fs.FileInfo, r io.Reader) error {
	h := &zip.FileHeader{Name: row.Path, Method: zip.Deflate, Modified: info.ModTime()}
	h.SetMode(info.Mode().Perm())
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = io.CopyN(w, r, row.Size)
	return err
}

// contextReader stops between two reads when the context has ended.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
