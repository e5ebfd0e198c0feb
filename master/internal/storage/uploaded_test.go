package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"cloudai/master/internal/cluster"
)

func sumHex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestSumThatComesWithTheLastPiece(t *testing.T) {
	k := newKeeper(t, t.TempDir())
	if err := k.WriteChunk(owner, ref, Chunk{Path: "f", Data: []byte("ab"), Last: true, SHA256: "xyz"}); !errors.Is(err, cluster.ErrInvalid) {
		t.Fatal(err)
	}
	if err := k.WriteChunk(owner, ref, Chunk{Path: "f", Data: []byte("ab"), Last: true, SHA256: sumHex("other")}); !errors.Is(err, cluster.ErrConflict) {
		t.Fatal(err)
	}
	if files, _, _ := k.Staged(t.Context(), ref, "", 10); len(files) > 0 {
		t.Fatalf("what differs is kept: %+v", files)
	}
	if err := k.WriteChunk(owner, ref, Chunk{Path: "f", Data: []byte("ab"), Last: true, SHA256: sumHex("ab")}); err != nil {
		t.Fatal(err)
	}
}

func TestPublishAsUploaded(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	as := cluster.Manifest{AsUploaded: true, Skipped: []cluster.SkippedFile{{Path: "left", Reason: "gone"}}}
	write := func(path, text string, last bool) {
		t.Helper()
		c := Chunk{Path: path, Data: []byte(text), Last: last}
		if last {
			c.SHA256 = sumHex(text)
		}
		if err := k.WriteChunk(owner, ref, c); err != nil {
			t.Fatal(err)
		}
	}
	write("a/b", "first", true)
	write("left", "half of", false)
	write("half", "half of", false)
	if _, err := k.Publish(t.Context(), "ann", ref, as); !errors.Is(err, cluster.ErrConflict) {
		t.Fatalf("a file that is not whole: %v", err)
	}
	if err := k.WriteChunk(owner, ref, Chunk{Path: "half", Offset: 7, Data: []byte(" it"), Last: true, SHA256: sumHex("half of it")}); err != nil {
		t.Fatal(err)
	}
	for try := range 2 { // the second as after a commit that failed
		rows, err := k.Publish(t.Context(), "ann", ref, as)
		if err != nil {
			t.Fatalf("try %d: %v", try, err)
		}
		if len(rows) != 2 || rows[0].Path != "a/b" || rows[0].SHA256 != sumHex("first") || rows[1].Path != "half" || rows[1].Size != 10 {
			t.Fatalf("try %d: %+v", try, rows)
		}
	}
}

// After a restart the sums are not known; the last piece brings them back, and
// what the worker says is checked against the bytes.
func TestPublishAsUploadedAfterRestart(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	if err := k.WriteChunk(owner, ref, Chunk{Path: "f", Data: []byte("text"), Last: true, SHA256: sumHex("text")}); err != nil {
		t.Fatal(err)
	}
	as := cluster.Manifest{AsUploaded: true}
	k = newKeeper(t, dir)
	if _, err := k.Publish(t.Context(), "ann", ref, as); !errors.Is(err, cluster.ErrConflict) {
		t.Fatal(err)
	}
	if err := k.WriteChunk(owner, ref, Chunk{Path: "f", Offset: 4, Last: true, SHA256: sumHex("lies")}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Publish(t.Context(), "ann", ref, as); !errors.Is(err, cluster.ErrConflict) {
		t.Fatal(err)
	}
	if err := k.WriteChunk(owner, ref, Chunk{Path: "f", Data: []byte("text"), Last: true, SHA256: sumHex("text")}); err != nil {
		t.Fatal(err)
	}
	if rows, err := k.Publish(t.Context(), "ann", ref, as); err != nil || len(rows) != 1 || rows[0].SHA256 != sumHex("text") {
		t.Fatalf("%+v, %v", rows, err)
	}
}

func TestStagedComesInPages(t *testing.T) {
	k := newKeeper(t, t.TempDir())
	var want []string
	for _, path := range []string{"a-b", "a/b", "a/c/d", "a/c-d", "b", "z/1", "z/2", "z0"} {
		want = append(want, path)
		if err := k.WriteChunk(owner, ref, Chunk{Path: path, Data: []byte("x"), Last: true}); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(want, comparePaths)
	for limit := 1; limit < 10; limit++ {
		var got []string
		for more, after := true, ""; more; {
			var page []StagedFile
			var err error
			if page, more, err = k.Staged(t.Context(), ref, after, limit); err != nil {
				t.Fatal(err)
			}
			for _, f := range page {
				got, after = append(got, f.Path), f.Path
			}
			if len(page) > limit || more && len(page) == 0 {
				t.Fatalf("limit %d: a page of %d, more %v", limit, len(page), more)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("limit %d: %v, want %v", limit, got, want)
		}
	}
}

// A piece that was on its way when the attempt ended leaves nothing behind.
func TestNothingIsStagedAfterDiscard(t *testing.T) {
	k := newKeeper(t, t.TempDir())
	if err := k.Discard(ref); err != nil {
		t.Fatal(err)
	}
	if err := k.WriteChunk(owner, ref, Chunk{Path: "f", Data: []byte("x")}); !errors.Is(err, cluster.ErrStaleAttempt) {
		t.Fatal(err)
	}
	for n := range 2 * maxRecent {
		other := ref
		other.Attempt = n + 2
		if err := k.Discard(other); err != nil {
			t.Fatal(err)
		}
	}
	if len(k.over) != maxRecent || len(k.recent) != maxRecent || len(k.stages) != 0 {
		t.Fatalf("%d, %d and %d are remembered", len(k.over), len(k.recent), len(k.stages))
	}
}

// afresh discards what is staged and lets the attempt begin anew.
func (k *Keeper) afresh() error {
	err := k.Discard(ref)
	clear(k.over)
	k.recent = nil
	return err
}
