package logs

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudai/master/internal/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	anyRef = cluster.AttemptRef{TaskID: "t1", Attempt: 1, Lease: "l1"}
	noon   = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
)

func newKeeper(t *testing.T, dir string, change ...func(*Config)) *Keeper {
	t.Helper()
	cfg := Config{Dir: dir}
	for _, c := range change {
		c(&cfg)
	}
	k, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func stdout(offset int64, data string) cluster.LogChunk {
	return cluster.LogChunk{Stream: cluster.StreamStdout, Offset: offset, Time: noon, Data: []byte(data)}
}

func stderr(offset int64, data string) cluster.LogChunk {
	return cluster.LogChunk{Stream: cluster.StreamStderr, Offset: offset, Time: noon.Add(time.Second), Data: []byte(data)}
}

func mustAppend(t *testing.T, k *Keeper, ref cluster.AttemptRef, chunks ...cluster.LogChunk) {
	t.Helper()
	if err := k.Append(ref, chunks); err != nil {
		t.Fatal(err)
	}
}

func mustFinish(t *testing.T, k *Keeper, ref cluster.AttemptRef, end cluster.LogEnd) {
	t.Helper()
	need, err := k.Finish(t.Context(), ref, end)
	if err != nil || need != nil {
		t.Fatalf("finish: need %v, %v", need, err)
	}
}

// records reads to the end; Data is copied.
func records(ctx context.Context, k *Keeper, ref cluster.AttemptRef, opt ReadOptions) ([]Record, error) {
	r, err := k.Open(ctx, ref.TaskID, ref.Attempt, opt)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []Record
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		rec.Data = append([]byte(nil), rec.Data...)
		out = append(out, rec)
	}
}

// text reads to the end and checks that offsets have no hole.
func text(t *testing.T, k *Keeper, ref cluster.AttemptRef, opt ReadOptions) string {
	t.Helper()
	recs, err := records(t.Context(), k, ref, opt)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	var out []byte
	for i, r := range recs {
		if i > 0 && opt.Stream == 0 {
			if p := recs[i-1]; r.Offset != p.Offset+int64(len(p.Data)) {
				t.Fatalf("record at %d after %d+%d", r.Offset, p.Offset, len(p.Data))
			}
		}
		out = append(out, r.Data...)
	}
	return string(out)
}
