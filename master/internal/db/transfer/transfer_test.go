package transfer_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/embedded"
	"cloudai/master/internal/db/storetest"
	"cloudai/master/internal/db/transfer"
)

func openEmbedded(t *testing.T, dir string, filling bool) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(t.Context(), dir, embedded.Options{Filling: filling})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dump(t *testing.T, s db.Portable) (records []db.Record) {
	t.Helper()
	if err := s.Dump(t.Context(), func(r db.Record) error {
		records = append(records, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return records
}

func populated(t *testing.T, tasks int) *storetest.Memory {
	t.Helper()
	m := storetest.NewMemory()
	if err := storetest.Populate(t.Context(), m, tasks); err != nil {
		t.Fatal(err)
	}
	return m
}

func move(t *testing.T, from, to db.Portable) transfer.Summary {
	t.Helper()
	summary, err := transfer.Move(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	return summary
}

// There and back: nothing is lost, added or changed, and the moved store opens
// as any other.
func TestMoveThereAndBack(t *testing.T) {
	from, dir, back := populated(t, 300), t.TempDir(), storetest.NewMemory()
	target := openEmbedded(t, dir, true)
	summary := move(t, from, target)
	for _, kind := range transfer.Kinds {
		if summary[kind].Count == 0 {
			t.Errorf("no %s were moved: the test shows nothing of them", kind)
		}
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	target = openEmbedded(t, dir, false)
	if diff := cmp.Diff(dump(t, from), dump(t, target)); diff != "" {
		t.Errorf("moved (-source +target):\n%s", diff)
	}
	counts, err := target.CountTasks(t.Context(), cluster.TaskFilter{})
	want, err2 := from.CountTasks(t.Context(), cluster.TaskFilter{})
	if diff := cmp.Diff(want, counts); diff != "" || err != nil || err2 != nil {
		t.Errorf("counts %v %v:\n%s", err, err2, diff)
	}
	move(t, target, back)
	if diff := cmp.Diff(dump(t, from), dump(t, back)); diff != "" {
		t.Errorf("and back (-source +target):\n%s", diff)
	}
}

// A move that broke off leaves a target that nobody opens by mistake, and the
// next one starts over.
func TestHalfFilledTarget(t *testing.T) {
	from, dir := populated(t, 300), t.TempDir()
	target := openEmbedded(t, dir, true)
	broken := errors.New("broken off")
	if _, err := transfer.Move(t.Context(), failing{from, 280, broken}, target); !errors.Is(err, broken) {
		t.Fatalf("a source that fails: %v", err)
	}
	if len(dump(t, target)) == 0 {
		t.Fatal("nothing was loaded: the test shows nothing")
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Open(t.Context(), dir, embedded.Options{}); !errors.Is(err, db.ErrHalfFilled) {
		t.Fatalf("a half filled store was opened: %v", err)
	}
	target = openEmbedded(t, dir, true)
	move(t, from, target)
	if diff := cmp.Diff(dump(t, from), dump(t, target)); diff != "" {
		t.Errorf("started over (-source +target):\n%s", diff)
	}
}

func TestTargetInUseOfOthers(t *testing.T) {
	from, target := populated(t, 3), openEmbedded(t, t.TempDir(), true)
	if _, err := target.MetaOnce(t.Context(), "cluster_id", "theirs"); err != nil {
		t.Fatal(err)
	}
	if _, err := transfer.Move(t.Context(), storetest.NewMemory(), target); !errors.Is(err, transfer.ErrEmpty) {
		t.Errorf("nothing was moved: %v", err)
	}
	before := dump(t, target)
	if _, err := transfer.Move(t.Context(), from, target); !errors.Is(err, db.ErrNotEmpty) {
		t.Errorf("a store that holds something was filled: %v", err)
	}
	if diff := cmp.Diff(before, dump(t, target)); diff != "" {
		t.Errorf("and changed:\n%s", diff)
	}
}

// What the target has made of a record is found, and named by its kind.
func TestDifferentTarget(t *testing.T) {
	for _, change := range []func(r *db.Record) bool{
		func(r *db.Record) bool { return r.User == nil },
		func(r *db.Record) bool {
			if r.Task != nil && len(r.Task.Files) > 0 {
				r.Task.Files[0].Files = r.Task.Files[0].Files[1:]
			}
			return true
		},
		func(r *db.Record) bool {
			if r.Task != nil {
				r.Task.Task.Message += "x"
			}
			return true
		},
	} {
		to := changing{storetest.NewMemory(), change}
		if _, err := transfer.Move(t.Context(), populated(t, 10), to); !errors.Is(err, transfer.ErrDiffers) {
			t.Errorf("a changed copy was taken for whole: %v", err)
		}
	}
}

// failing is a store whose dump breaks off after some records.
type failing struct {
	db.Portable
	after int
	err   error
}

func (f failing) Dump(ctx context.Context, yield func(db.Record) error) error {
	n := 0
	return f.Portable.Dump(ctx, func(r db.Record) error {
		if n++; n > f.after {
			return f.err
		}
		return yield(r)
	})
}

// changing loads something else than it is given.
type changing struct {
	db.Portable
	change func(*db.Record) bool // false: lose it
}

func (c changing) Load(ctx context.Context, records []db.Record) error {
	var kept []db.Record
	for _, r := range records {
		if r.Task != nil {
			task := *r.Task
			task.Files = append([]db.PublishedAt(nil), task.Files...)
			r.Task = &task
		}
		if c.change(&r) {
			kept = append(kept, r)
		}
	}
	return c.Portable.Load(ctx, kept)
}
