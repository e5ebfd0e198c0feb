package storage

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strconv"
	"testing"

	"cloudai/master/internal/cluster"
)

// BenchmarkUpload is one file of 64 MiB in pieces of 256 KiB, verified and
// published.
func BenchmarkUpload(b *testing.B) {
	k := newKeeper(b, b.TempDir())
	const pieces = 256
	piece := bytes.Repeat([]byte("0123456789abcdef"), 16<<10)
	m := cluster.Manifest{Files: []cluster.File{{
		Path: "f", Size: int64(pieces * len(piece)), SHA256: fmt.Sprintf("%x", sha256.Sum256(bytes.Repeat(piece, pieces))),
	}}}
	b.SetBytes(m.Files[0].Size)
	n := 0
	for b.Loop() {
		n++
		r := cluster.AttemptRef{TaskID: cluster.TaskID(strconv.Itoa(n)), Lease: "l"}
		for i := range pieces {
			c := Chunk{Path: "f", Offset: int64(i * len(piece)), Data: piece, Last: i == pieces-1}
			if err := k.WriteChunk(owner, r, c); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := k.Publish(b.Context(), owner, r, m); err != nil {
			b.Fatal(err)
		}
		if err := k.RemoveTask(owner, r.TaskID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPublishNothing is the end of a task without output.
func BenchmarkPublishNothing(b *testing.B) {
	k := newKeeper(b, b.TempDir())
	for b.Loop() {
		if _, err := k.Publish(b.Context(), owner, ref, cluster.Manifest{}); err != nil {
			b.Fatal(err)
		}
	}
}
