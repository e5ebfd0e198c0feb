package logs

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"sync/atomic"
	"testing"

	"cloudai/master/internal/cluster"
)

func benchKeeper(b *testing.B) *Keeper {
	k, err := New(Config{Dir: b.TempDir(), Limit: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	return k
}

// BenchmarkFinish is the end of a short task: its whole log comes with the
// result.
func BenchmarkFinish(b *testing.B) {
	for name, data := range map[string]string{"empty": "", "short": "hello\n"} {
		b.Run(name, func(b *testing.B) {
			k := benchKeeper(b)
			var n atomic.Int64
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ref := cluster.AttemptRef{TaskID: cluster.TaskID(strconv.FormatInt(n.Add(1), 10)), Attempt: 1}
					end := cluster.LogEnd{Length: cluster.LogOffsets{Stdout: int64(len(data))}}
					if data != "" {
						end.Tail = []cluster.LogChunk{stdout(0, data)}
					}
					if need, err := k.Finish(b.Context(), ref, end); err != nil || need != nil {
						b.Error(need, err)
					}
				}
			})
		})
	}
}

func BenchmarkAppend64K(b *testing.B) {
	k := benchKeeper(b)
	data := bytes.Repeat([]byte("a line of a usual length, say sixty-four bytes with the newline\n"), 1024)
	b.SetBytes(int64(len(data)))
	for i := range b.N {
		c := cluster.LogChunk{Stream: cluster.StreamStdout, Offset: int64(i * len(data)), Time: noon, Data: data}
		if err := k.Append(anyRef, []cluster.LogChunk{c}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	k := benchKeeper(b)
	data := bytes.Repeat([]byte("a line of a usual length, say sixty-four bytes with the newline\n"), 1024)
	const n = 512
	for i := range n {
		c := cluster.LogChunk{Stream: cluster.StreamStdout, Offset: int64(i * len(data)), Time: noon, Data: data}
		if err := k.Append(anyRef, []cluster.LogChunk{c}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(n * len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := k.Open(b.Context(), anyRef.TaskID, anyRef.Attempt, ReadOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = r.Next(b.Context())
		}
		if !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
