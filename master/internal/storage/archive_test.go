package storage

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
)

var archiveSize = flag.Int64("archive", 64<<20, "how many bytes TestArchiveOfMuch puts into each archive; beyond 4 GiB they are ZIP64")

// An archive takes as little memory for much as for little, and is whole. The
// file has a hole in it, so it takes no disk.
func TestArchiveOfMuch(t *testing.T) {
	if testing.Short() {
		t.Skip("much")
	}
	dir := t.TempDir()
	k := newKeeper(t, dir)
	small := tree{"small": "here"}
	small.upload(t, k, ref, 9)
	rows := mustPublish(t, k, ref, small)
	home, err := homeOf(owner, ref.TaskID)
	if err != nil {
		t.Fatal(err)
	}
	big := filepath.Join(dir, home, "big")
	if err := os.WriteFile(big, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(big, *archiveSize); err != nil {
		t.Fatal(err)
	}
	rows = append(rows, cluster.File{Path: "big", Size: *archiveSize})
	for _, format := range []Format{FormatTarGz, FormatZip} {
		out, err := os.Create(filepath.Join(t.TempDir(), "archive"))
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := k.Archive(t.Context(), out, owner, ref.TaskID, rows, format); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
			t.Errorf("%s: %d bytes allocated for %d", format, n, *archiveSize)
		}
		t.Logf("%s: %d KiB allocated for %d MiB", format, (after.TotalAlloc-before.TotalAlloc)>>10, *archiveSize>>20)
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		sizes := sizesIn(t, out.Name(), format)
		if len(sizes) != 2 || sizes["big"] != *archiveSize || sizes["small"] != 4 {
			t.Errorf("%s: %v", format, sizes)
		}
	}
}

// sizesIn are the files of an archive, by the archive's own word.
func sizesIn(t *testing.T, name string, format Format) map[string]int64 {
	t.Helper()
	sizes := map[string]int64{}
	if format == FormatZip {
		z, err := zip.OpenReader(name)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		for _, f := range z.File {
			sizes[f.Name] = int64(f.UncompressedSize64)
		}
		return sizes
	}
	in, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			return sizes
		}
		sizes[h.Name] = h.Size
	}
}

// Whatever path a file has that may be kept, it is in an archive under that very
// path, with its content, and nothing else is.
func FuzzArchive(f *testing.F) {
	f.Add("a", []byte("x"))
	f.Add("dir/a b%2F?\n=\"ü", []byte{})
	f.Add(strings.Repeat("0123456789/", 40)+"x", []byte("\x00\xff"))
	f.Add("C:\\a..", []byte("x"))
	dir := f.TempDir()
	k := newKeeper(f, dir)
	home, err := homeOf(owner, ref.TaskID)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		on := filepath.Join(dir, home, name)
		if CheckPath(name) != nil || os.MkdirAll(filepath.Dir(on), 0o700) != nil || os.WriteFile(on, content, 0o600) != nil {
			t.Skip("no file has this path")
		}
		defer func() { _ = os.RemoveAll(filepath.Join(dir, home)) }() // the next one may be a folder
		rows := []cluster.File{{Path: name, Size: int64(len(content))}}
		for format, first := range map[Format]func([]byte) (string, []byte, error){FormatTarGz: firstInTar, FormatZip: firstInZip} {
			var out bytes.Buffer
			if err := k.Archive(t.Context(), &out, owner, ref.TaskID, rows, format); err != nil {
				t.Fatalf("%s: %v", format, err)
			}
			got, data, err := first(out.Bytes())
			if err != nil || got != name || !bytes.Equal(data, content) {
				t.Fatalf("%s: %q has become %q (%v)", format, name, got, err)
			}
		}
	})
}

var errMore = errors.New("it is not the only one")

func firstInTar(archive []byte) (string, []byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return "", nil, err
	}
	r := tar.NewReader(z)
	h, err := r.Next()
	if err != nil {
		return "", nil, err
	}
	data, err := io.ReadAll(r)
	if _, end := r.Next(); !errors.Is(end, io.EOF) {
		err = errMore
	}
	return h.Name, data, err
}

func firstInZip(archive []byte) (string, []byte, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return "", nil, err
	}
	if len(z.File) != 1 {
		return "", nil, errMore
	}
	in, err := z.File[0].Open()
	if err != nil {
		return "", nil, err
	}
	data, err := io.ReadAll(in)
	return z.File[0].Name, data, errors.Join(err, in.Close())
}
