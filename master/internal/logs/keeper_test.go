package logs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
)

func TestAppendFinishRead(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	mustAppend(t, k, anyRef, stdout(0, "one\ntwo\n"), stderr(0, "oops\n"))
	mustAppend(t, k, anyRef, stdout(4, "two\nthree\n"), stderr(0, "oops\n")) // overlaps and repeats
	if err := k.Append(anyRef, []cluster.LogChunk{stdout(99, "x")}); !errors.Is(err, cluster.ErrConflict) {
		t.Fatalf("hole: %v", err)
	}
	if got, want := k.Offsets(anyRef), (cluster.LogOffsets{Stdout: 14, Stderr: 5}); got != want {
		t.Fatalf("offsets %+v, want %+v", got, want)
	}
	need, err := k.Finish(t.Context(), anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 30, Stderr: 5}})
	if err != nil || need == nil || *need != (cluster.LogOffsets{Stdout: 14, Stderr: 5}) {
		t.Fatalf("incomplete: need %v, %v", need, err)
	}
	end := cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 18, Stderr: 5}, Tail: []cluster.LogChunk{stdout(8, "three\nend\n")}}
	mustFinish(t, k, anyRef, end)
	mustFinish(t, k, anyRef, end) // a repeated report
	const want = "one\ntwo\noops\nthree\nend\n"
	if got := k.Received(); got != int64(len(want)) { // 19 were pushed, 4 came with the result
		t.Fatalf("%d bytes counted", got)
	}
	for name, k := range map[string]*Keeper{"same keeper": k, "after a restart": newKeeper(t, dir)} {
		if got := text(t, k, anyRef, ReadOptions{Follow: true}); got != want {
			t.Fatalf("%s: %q", name, got)
		}
		if got := k.Size(anyRef); got != int64(len(want)) {
			t.Fatalf("%s: size %d", name, got)
		}
		mustAppend(t, k, anyRef, stdout(0, "one\n"))
		if err := k.Append(anyRef, []cluster.LogChunk{stdout(18, "x")}); !errors.Is(err, cluster.ErrConflict) {
			t.Fatalf("%s: append to a sealed log: %v", name, err)
		}
		if len(k.logs) != 0 {
			t.Fatalf("%s: %d logs still known", name, len(k.logs))
		}
	}
}

func TestShortLogIsOneFileAndEmptyLogIsNone(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	mustFinish(t, k, anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 3}, Tail: []cluster.LogChunk{stdout(0, "hi\n")}})
	if got := files(t, dir); got != "t1/1.pack" {
		t.Fatalf("files: %s", got)
	}
	empty := cluster.AttemptRef{TaskID: "t2", Attempt: 1}
	mustFinish(t, k, empty, cluster.LogEnd{})
	if got := files(t, dir); got != "t1/1.pack" {
		t.Fatalf("files: %s", got)
	}
	if got := text(t, k, empty, ReadOptions{Follow: true}); got != "" {
		t.Fatalf("empty log: %q", got)
	}
	again := newKeeper(t, dir)
	if got := text(t, again, anyRef, ReadOptions{Follow: true}); got != "hi\n" {
		t.Fatalf("packed log: %q", got)
	}
	if got := text(t, again, empty, ReadOptions{Follow: true, Final: true}); got != "" {
		t.Fatalf("empty log after a restart: %q", got)
	}
	mustFinish(t, again, empty, cluster.LogEnd{})
}

// files lists what is below dir, joined by spaces.
func files(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}
