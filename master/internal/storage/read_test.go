package storage

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"maps"
	"testing"

	"cloudai/master/internal/cluster"
)

func TestArchives(t *testing.T) {
	k := newKeeper(t, t.TempDir())
	some.upload(t, k, ref, 999)
	rows := mustPublish(t, k, ref, some)
	for format, read := range map[Format]func(*testing.T, []byte) tree{FormatTarGz: readTar, FormatZip: readZip} {
		var buf bytes.Buffer
		if err := k.Archive(t.Context(), &buf, owner, ref.TaskID, rows, format); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if got := read(t, buf.Bytes()); !maps.Equal(got, some) {
			t.Fatalf("%s: got %q", format, got)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Archive(ended, io.Discard, owner, ref.TaskID, rows, FormatZip); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := k.Archive(t.Context(), io.Discard, owner, ref.TaskID, rows, "rar"); !errors.Is(err, cluster.ErrInvalid) {
		t.Errorf("rar: %v", err)
	}
	if err := k.Archive(t.Context(), io.Discard, "ben", ref.TaskID, rows, FormatZip); !errors.Is(err, cluster.ErrNotFound) {
		t.Errorf("another owner: %v", err)
	}
	rows[0].Size++
	if err := k.Archive(t.Context(), io.Discard, owner, ref.TaskID, rows, FormatTarGz); err == nil {
		t.Error("a file that is shorter than its row was archived")
	}
}

func readTar(t *testing.T, data []byte) tree {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	out := tree{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = string(b)
	}
}

func readZip(t *testing.T, data []byte) tree {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := tree{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(b)
	}
	return out
}

// What is read stays: a file that is open, an archive that is being sent.
func TestRemoveFilesThatAreRead(t *testing.T) {
	k := newKeeper(t, t.TempDir())
	f := tree{"a": "first", "b": "second"}
	f.upload(t, k, ref, 3)
	rows := mustPublish(t, k, ref, f)
	one, _, err := k.OpenFile(owner, ref.TaskID, "a")
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string) {
		t.Helper()
		if err := k.RemoveUnread(owner, ref.TaskID); !errors.Is(err, cluster.ErrConflict) || !k.FilesRead(owner, ref.TaskID) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("an open file")
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	tried := false
	err = k.Archive(t.Context(), writerFunc(func(p []byte) (int, error) {
		if !tried {
			tried = true
			refused("an archive")
		}
		return len(p), nil
	}), owner, ref.TaskID, rows, FormatTarGz)
	if err != nil || !tried {
		t.Fatalf("archive: %v", err)
	}
	for range 2 {
		if err := k.RemoveUnread(owner, ref.TaskID); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := k.OpenFile(owner, ref.TaskID, "a"); !errors.Is(err, cluster.ErrNotFound) {
		t.Errorf("a removed file: %v", err)
	}
	if len(k.reads)+len(k.going) != 0 {
		t.Errorf("%v are said to be read, %v to go", k.reads, k.going)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
