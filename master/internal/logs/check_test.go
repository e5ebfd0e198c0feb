package logs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
)

// checked gives what Check says, and holds it to changing nothing.
func checked(t *testing.T, dir string) (damage, leftovers []string) {
	t.Helper()
	before := tree(t, dir)
	err := Check(t.Context(), dir, func(file, place, what string, leftover bool) {
		line := strings.TrimPrefix(file, dir) + " " + place + ": " + what
		if leftover {
			leftovers = append(leftovers, line)
		} else {
			damage = append(damage, line)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if after := tree(t, dir); before != after {
		t.Errorf("the check changed the folder:\n%s\n%s", before, after)
	}
	return damage, leftovers
}

func tree(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(&out, "%s %x\n", path, b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Every flipped bit and every cut of a complete log is named with its place; a
// growing log's unflushed end is a leftover.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	long := bytes.Repeat([]byte("a line of a log\n"), 3000)
	pair := cluster.AttemptRef{TaskID: "pair", Attempt: 1, Lease: "l"}
	mustAppend(t, k, pair, stdout(0, string(long)))
	mustAppend(t, k, pair, stderr(0, "trouble\n"))
	mustFinish(t, k, pair, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: int64(len(long)), Stderr: 8}})
	pack := cluster.AttemptRef{TaskID: "pack", Attempt: 1, Lease: "l"}
	end := cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 6}, Tail: []cluster.LogChunk{stdout(0, "hello\n")}}
	mustFinish(t, k, pack, end)
	open := cluster.AttemptRef{TaskID: "open", Attempt: 1, Lease: "l"}
	mustAppend(t, k, open, stdout(0, "goes on\n"))
	if damage, leftovers := checked(t, dir); damage != nil || leftovers != nil {
		t.Fatalf("a whole folder: %q, %q", damage, leftovers)
	}
	r := rand.New(rand.NewPCG(20261128, 5))
	files, err := filepath.Glob(filepath.Join(dir, "p*", "*"))
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 40 {
			at, bad := r.IntN(len(whole)), bytes.Clone(whole)
			if n%2 == 0 {
				bad[at] ^= 1 << r.IntN(8)
			} else {
				bad = bad[:at]
			}
			write(t, path, bad)
			damage, leftovers := checked(t, dir)
			// The index of a pair may have lost its end before it was flushed.
			if named := len(damage) > 0 || filepath.Ext(path) == ".idx" && len(leftovers) > 0; !named && (n%2 == 0 || at%entrySize != 0) {
				t.Errorf("%s, byte %d of %d, %d: nothing is named", path, at, len(whole), n%2)
			}
		}
		write(t, path, whole)
	}
	write(t, filepath.Join(dir, "open", "1.log"), []byte("goes"))
	if damage, leftovers := checked(t, dir); damage != nil || len(leftovers) != 1 {
		t.Errorf("a torn end: %q, %q", damage, leftovers)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
