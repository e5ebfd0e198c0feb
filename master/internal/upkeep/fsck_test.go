package upkeep

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudai/master/internal/db"
)

// spoil changes a file's bytes.
func spoil(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// oneOutput is the path of some task's output file of that name.
func oneOutput(t *testing.T, of Folders, name string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(of.Files, "*", "*", name))
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
	return found[0]
}

// leaveLog writes one task and leaves the folder as a kill does, with the
// transaction in the write-ahead log.
func leaveLog(t *testing.T, of Folders) (log string) {
	t.Helper()
	s, err := of.State.Open(t.Context(), of.Data)
	if err != nil {
		t.Fatal(err)
	}
	log = filepath.Join(of.Data, of.State.FileName()+"-wal")
	err = s.Commit(t.Context(), []db.Write{{Task: written(0)}})[0]
	b, err2 := os.ReadFile(log)
	if err := errors.Join(err, err2, s.Close(), os.WriteFile(log, b, 0o600)); err != nil {
		t.Fatal(err)
	}
	return log
}

// F25: whatever is damaged is found and named with its file and place, and what
// was backed up brings all of it back.
func TestF25DamageIsFoundAndRestored(t *testing.T) {
	dir := t.TempDir()
	of := makeMaster(t, filepath.Join(dir, "data"), 20)
	want := content(t, of)
	path := filepath.Join(dir, "backup")
	mustBackup(t, BackupConfig{Folders: of, Path: path, Files: true})
	if found := fsck(t, of); found != nil {
		t.Fatalf("before anything is damaged: %q", found)
	}
	store := filepath.Join(of.Data, of.State.FileName())
	for _, tt := range []struct {
		name   string
		damage func() (file string)
		says   string
	}{
		{"the log's tail is torn", func() string {
			log := leaveLog(t, of)
			spoil(t, log, func(b []byte) []byte { return b[:len(b)-1000] })
			return log
		}, "cut off"},
		{"a byte of a log's page", func() string {
			log := leaveLog(t, of)
			spoil(t, log, func(b []byte) []byte {
				b[len(b)-1000] ^= 4
				return b
			})
			return log
		}, "last whole transaction"},
		{"a byte of a task's payload", func() string {
			// A document of tasks begins so. All of them, since there are old copies
			// of some that nobody reads.
			spoil(t, store, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`{"u":"`), []byte(`{"t":"`)) })
			return store
		}, "table tasks, row"},
		{"a missing output file", func() string {
			gone := oneOutput(t, of, "b")
			if err := os.Remove(gone); err != nil {
				t.Fatal(err)
			}
			return gone
		}, ""},
		{"an output file with another content", func() string {
			other := oneOutput(t, of, "b")
			spoil(t, other, func(b []byte) []byte {
				b[10] ^= 1
				return b
			})
			return other
		}, "SHA-256"},
	} {
		file := tt.damage()
		found := fsck(t, of)
		named := false
		for _, line := range found {
			named = named || strings.Contains(line, file) && strings.Contains(line, tt.says)
		}
		if !named {
			t.Errorf("%s: found %q", tt.name, found)
		}
		if err := os.Rename(of.Data, filepath.Join(dir, strings.ReplaceAll(tt.name, " ", "-"))); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(t.Context(), path, of); err != nil {
			t.Fatal(err)
		}
		if found := fsck(t, of); found != nil {
			t.Errorf("%s, restored: %q", tt.name, found)
		}
		if diff := cmp.Diff(want, content(t, of)); diff != "" {
			t.Errorf("%s, restored (-before +after):\n%s", tt.name, diff)
		}
	}
}
