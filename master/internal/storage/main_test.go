package storage

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"cloudai/master/internal/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const owner cluster.UserID = "ann"

var ref = cluster.AttemptRef{TaskID: "t1", Attempt: 1, Lease: "l1"}

func newKeeper(t testing.TB, dir string, change ...func(*Config)) *Keeper {
	t.Helper()
	cfg := Config{Dir: dir, Free: func() (int64, error) { return 1 << 50, nil }}
	for _, c := range change {
		c(&cfg)
	}
	k, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

// tree is a set of files by path.
type tree map[string]string

func (f tree) manifest() cluster.Manifest {
	var m cluster.Manifest
	for p, data := range f {
		m.Files = append(m.Files, cluster.File{Path: p, Size: int64(len(data)), SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(data)))})
	}
	slices.SortFunc(m.Files, func(a, b cluster.File) int { return strings.Compare(a.Path, b.Path) })
	return m
}

// upload sends each file in pieces of n bytes.
func (f tree) upload(t testing.TB, k *Keeper, ref cluster.AttemptRef, n int) {
	t.Helper()
	for p, data := range f {
		for at := 0; ; at += n {
			end := min(at+n, len(data))
			c := Chunk{Path: p, Offset: int64(at), Data: []byte(data[at:end]), Last: end == len(data), Mode: 0o644}
			if err := k.WriteChunk(owner, ref, c); err != nil {
				t.Fatalf("write %q at %d: %v", p, at, err)
			}
			if c.Last {
				break
			}
		}
	}
}

func mustPublish(t testing.TB, k *Keeper, ref cluster.AttemptRef, f tree) []cluster.File {
	t.Helper()
	rows, err := k.Publish(t.Context(), owner, ref, f.manifest())
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(f) {
		t.Fatalf("%d rows for %d files", len(rows), len(f))
	}
	for p, data := range f {
		r, size, err := k.OpenFile(owner, ref.TaskID, p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil || string(got) != data || size != int64(len(data)) {
			t.Fatalf("%q: %d bytes, %v", p, len(got), err)
		}
	}
	return rows
}

// under is a path below dir, given with slashes.
func under(dir, p string) string { return filepath.Join(dir, filepath.FromSlash(p)) }

// onDisk lists all files and folders below dir but the two that are always
// there, folders with a slash at the end.
func onDisk(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		if rel == "." || rel == stagingDir || rel == trashDir {
			return nil
		}
		if d.IsDir() {
			rel += "/"
		}
		out = append(out, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wantDisk(t testing.TB, dir string, want ...string) {
	t.Helper()
	if got := onDisk(t, dir); !slices.Equal(got, want) {
		t.Fatalf("on disk:\n%q\nwant:\n%q", got, want)
	}
}

func noneLive(cluster.TaskID) (cluster.Placed, bool) { return cluster.Placed{}, false }

func onlyLive(ref cluster.AttemptRef) func(cluster.TaskID) (cluster.Placed, bool) {
	return func(t cluster.TaskID) (cluster.Placed, bool) {
		return cluster.Placed{Owner: owner, Ref: ref}, t == ref.TaskID
	}
}

func committed(tasks ...cluster.TaskID) func(context.Context, cluster.TaskID) (int64, bool, error) {
	return func(_ context.Context, t cluster.TaskID) (int64, bool, error) {
		return 0, slices.Contains(tasks, t), nil
	}
}
