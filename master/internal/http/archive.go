package http

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"cloudai/master/internal/cluster"
)

// opener gives the content of one file.
type opener func(cluster.File) (io.ReadCloser, error)

// packTar streams the files as a gzipped tar with constant memory.
func packTar(ctx context.Context, w io.Writer, files []cluster.File, at time.Time, open opener) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, f := range files {
		header := &tar.Header{Name: f.Path, Size: f.Size, Mode: 0o644, ModTime: at, Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if err := pour(ctx, archive, f, open); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), compressed.Close())
}

// packZip streams the files as a zip with constant memory.
func packZip(ctx context.Context, w io.Writer, files []cluster.File, at time.Time, open opener) error {
	archive := zip.NewWriter(w)
	for _, f := range files {
		entry, err := archive.CreateHeader(&zip.FileHeader{Name: f.Path, Method: zip.Deflate, Modified: at})
		if err != nil {
			return err
		}
		if err := pour(ctx, entry, f, open); err != nil {
			return err
		}
	}
	return archive.Close()
}

// pour copies one file; a size other than the recorded one is an error.
func pour(ctx context.Context, w io.Writer, f cluster.File, open opener) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	content, err := open(f)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // only read
	n, err := io.Copy(w, content)
	if err == nil && n != f.Size {
		err = fmt.Errorf("%s has %d bytes, %d were recorded", f.Path, n, f.Size)
	}
	return err
}
