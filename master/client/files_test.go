package client_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

// publish puts one file on the master's disk and into its records.
func (m *master) publish(t *testing.T, id cluster.TaskID, rows ...cluster.File) {
	t.Helper()
	for _, row := range rows {
		path := filepath.Join(m.filesDir, "local", string(id), row.Path)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(strings.Repeat("x", int(row.Size))), 0o644))
	}
	must(t, m.core.Publish(id, rows...))
}

func row(path string, size int) cluster.File {
	sum := sha256.Sum256([]byte(strings.Repeat("x", size)))
	return cluster.File{Path: path, Size: int64(size), SHA256: hex.EncodeToString(sum[:]), ContentType: "text/plain"}
}

func TestDownload(t *testing.T) {
	m := start(t)
	task, id := m.submit(t)
	m.publish(t, id, row("out.txt", 5), row("dir/ a?%2F#ü.bin", 100_000), row("empty", 0))
	for f, err := range m.client.Files(t.Context()) {
		if must(t, err); f.Files != 3 || f.TotalSize != 100_005 {
			t.Errorf("%+v", f)
		}
	}
	dir := filepath.Join(t.TempDir(), "new")
	var seen []string
	var arrived int64
	for range 2 { // a second time replaces
		seen, arrived = nil, 0
		_, err := m.client.Download(t.Context(), task.TaskID, dir, client.DownloadOptions{
			Done:    func(f client.File) { seen = append(seen, f.Path) },
			Arrived: func(n int64) { arrived += n },
		})
		must(t, err)
	}
	if len(seen) != 3 || arrived != 100_005 {
		t.Errorf("told of %v, %d bytes", seen, arrived)
	}
	for path, size := range map[string]int{"out.txt": 5, "dir/ a?%2F#ü.bin": 100_000, "empty": 0} {
		if data, err := os.ReadFile(filepath.Join(dir, path)); err != nil || len(data) != size {
			t.Errorf("%s: %d bytes, %v", path, len(data), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".cloudai-part*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
	must(t, m.core.Run(id, "w1"))
	code := 0
	must(t, m.core.Finish(id, &code, "", ""))
	must(t, m.client.DeleteFiles(t.Context(), task.TaskID))
}

func TestDownloadChecks(t *testing.T) {
	m := start(t)
	task, id := m.submit(t)
	bad := row("bad.txt", 5)
	bad.SHA256 = strings.Repeat("0", 64)
	m.publish(t, id, bad)
	dir := t.TempDir()
	if _, err := m.client.Download(t.Context(), task.TaskID, dir, client.DownloadOptions{}); err == nil || !strings.Contains(err.Error(), "bad.txt: arrived with") {
		t.Errorf("%v", err)
	}
	// A master that lies about paths writes nothing outside, nor does a link
	// in the folder.
	for _, path := range []string{"../evil", "/evil", "a/../../evil", ".", ""} {
		must(t, m.core.Publish(id, row(path, 5)))
		if _, err := m.client.Download(t.Context(), task.TaskID, dir, client.DownloadOptions{}); err == nil {
			t.Errorf("%q is taken", path)
		}
	}
	outside := t.TempDir()
	must(t, os.Symlink(outside, filepath.Join(dir, "link")))
	m.publish(t, id, row("link/evil", 5))
	if _, err := m.client.Download(t.Context(), task.TaskID, dir, client.DownloadOptions{}); err == nil {
		t.Error("a link leads out")
	}
	for _, d := range []string{dir, outside} {
		entries, err := os.ReadDir(d)
		must(t, err)
		for _, e := range entries {
			if e.Name() != "link" {
				t.Errorf("left behind: %s", e.Name())
			}
		}
	}
}
