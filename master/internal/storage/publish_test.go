package storage

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
)

var some = tree{
	"result.json":         `{"ok": true}`,
	"empty":               "",
	"deep/er/page":        "<html><body>hi</body></html>",
	"name with\nnewline":  "odd but a file",
	"deep/data.bin":       strings.Repeat("\x00\xff", 5000),
	"späte Ergebnisse.md": "# x\n",
}

func TestUploadPublishRead(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	some.upload(t, k, ref, 700)
	if err := k.WriteChunk(owner, ref, Chunk{Path: "not/in/manifest", Data: []byte("x"), Last: true}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.OpenFile(owner, ref.TaskID, "result.json"); !errors.Is(err, cluster.ErrNotFound) {
		t.Fatalf("visible before it is published: %v", err)
	}
	types := map[string]string{}
	for _, r := range mustPublish(t, k, ref, some) {
		types[r.Path] = r.ContentType
	}
	for p, want := range map[string]string{
		"result.json": "application/json", "deep/er/page": "text/html; charset=utf-8",
		"deep/data.bin": "application/octet-stream", "empty": "application/octet-stream",
	} {
		if types[p] != want {
			t.Errorf("type of %s: %s, want %s", p, types[p], want)
		}
	}
	if _, err := os.Stat(under(dir, "ann/t1/not")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what the manifest does not name was published: %v", err)
	}
	if len(k.stages) != 0 {
		t.Errorf("%d stages still known", len(k.stages))
	}
	if err := k.RemoveTask(owner, ref.TaskID); err != nil {
		t.Fatal(err)
	}
	wantDisk(t, dir, "ann/")
}

func TestNothingToPublishCostsNothing(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	rows, err := k.Publish(t.Context(), owner, ref, cluster.Manifest{})
	if err != nil || len(rows) != 0 {
		t.Fatal(rows, err)
	}
	if err := k.afresh(); err != nil {
		t.Fatal(err)
	}
	wantDisk(t, dir)
	tree{"x": "1"}.upload(t, k, ref, 1)
	if _, err := k.Publish(t.Context(), owner, ref, cluster.Manifest{}); err != nil {
		t.Fatal(err)
	}
	wantDisk(t, dir)
}

func TestWhatDiffersFromTheManifestIsUploadedAgain(t *testing.T) {
	whole := strings.Repeat("0123456789", 100)
	tests := []struct {
		name  string
		spoil func(t *testing.T, k *Keeper, file string) *Keeper
	}{
		{"missing", func(t *testing.T, k *Keeper, file string) *Keeper {
			if err := k.afresh(); err != nil {
				t.Fatal(err)
			}
			return k
		}},
		{"flipped on the disk", func(t *testing.T, k *Keeper, file string) *Keeper {
			write(t, file, whole[:500]+"X"+whole[501:])
			return newKeeper(t, under(filepath.Dir(file), "../../.."))
		}},
		{"cut on the disk", func(t *testing.T, k *Keeper, file string) *Keeper {
			write(t, file, whole[:500])
			return k
		}},
		{"a link now", func(t *testing.T, k *Keeper, file string) *Keeper {
			other := filepath.Join(t.TempDir(), "other")
			write(t, other, whole)
			if err := errors.Join(os.Remove(file), os.Symlink(other, file)); err != nil {
				t.Fatal(err)
			}
			return k
		}},
		{"other bytes sent", func(t *testing.T, k *Keeper, file string) *Keeper {
			if err := k.afresh(); err != nil {
				t.Fatal(err)
			}
			tree{"f": strings.ToUpper(whole[:999]) + "x"}.upload(t, k, ref, 100)
			return k
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			k := newKeeper(t, dir)
			want := tree{"f": whole, "other": "x"}
			want.upload(t, k, ref, 300)
			k = tt.spoil(t, k, under(dir, ".staging/t1/1-l1/f"))
			if _, err := k.Publish(t.Context(), owner, ref, want.manifest()); !errors.Is(err, cluster.ErrConflict) {
				t.Fatalf("got %v, want ErrConflict", err)
			}
			want.upload(t, k, ref, 300)
			mustPublish(t, k, ref, want)
		})
	}
}

func TestBadManifests(t *testing.T) {
	k := newKeeper(t, t.TempDir())
	sum := fmt.Sprintf("%x", sha256.Sum256(nil))
	for name, files := range map[string][]cluster.File{
		"path":            {{Path: "../x", SHA256: sum}},
		"no sum":          {{Path: "x"}},
		"short sum":       {{Path: "x", SHA256: sum[2:]}},
		"size":            {{Path: "x", SHA256: sum, Size: -1}},
		"twice":           {{Path: "x", SHA256: sum}, {Path: "x", SHA256: sum}},
		"file and folder": {{Path: "x/y", SHA256: sum}, {Path: "x", SHA256: sum}},
	} {
		if _, err := k.Publish(t.Context(), owner, ref, cluster.Manifest{Files: files}); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", ".staging", "a/b", "a\x00", "ä"} {
		if _, err := k.Publish(t.Context(), cluster.UserID(name), ref, cluster.Manifest{}); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("owner %q: got %v, want ErrInvalid", name, err)
		}
		if err := k.WriteChunk(owner, cluster.AttemptRef{TaskID: cluster.TaskID(name), Lease: "l"}, Chunk{Path: "x"}); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("task %q: got %v, want ErrInvalid", name, err)
		}
		if err := k.WriteChunk(owner, cluster.AttemptRef{TaskID: "t", Lease: name}, Chunk{Path: "x"}); !errors.Is(err, cluster.ErrInvalid) {
			t.Errorf("lease %q: got %v, want ErrInvalid", name, err)
		}
	}
}

func write(t testing.TB, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}
