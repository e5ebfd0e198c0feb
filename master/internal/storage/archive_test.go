package storage

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"flag"
	"os"
	"path/filepath"
	"runtime"
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
