package storetest_test

import (
	"errors"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/storetest"
)

// memoryBackend is the reference store held against its own suite.
type memoryBackend struct{ store *storetest.Memory }

func (b *memoryBackend) Open(testing.TB) db.Store {
	b.store = b.store.Reopen()
	return b.store
}

func (b *memoryBackend) Crash(testing.TB) { b.store.Crash() }

// Slow implements storetest.Slow: it sorts everything for each page.
func (b *memoryBackend) Slow() bool { return true }

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Backend { return &memoryBackend{storetest.NewMemory()} })
}

func TestMemoryCrashAt(t *testing.T) {
	s := storetest.NewMemory()
	var writes []db.Write
	for _, id := range []cluster.TaskID{"a", "b", "c"} {
		task := cluster.NewTask(id, "u", cluster.Spec{}, time.Unix(1, 0))
		task.Version = 1
		writes = append(writes, db.Write{Task: task})
	}
	s.CrashAt(2)
	errs := s.Commit(t.Context(), writes)
	for i, want := range []error{nil, db.ErrOutcomeUnknown, db.ErrUnavailable} {
		if !errors.Is(errs[i], want) {
			t.Errorf("answer %d: %v, want %v", i, errs[i], want)
		}
	}
	next := s.Reopen()
	for id, want := range map[cluster.TaskID]error{"a": nil, "b": cluster.ErrNotFound, "c": cluster.ErrNotFound} {
		if _, err := next.Task(t.Context(), id); !errors.Is(err, want) {
			t.Errorf("task %s after the crash: %v, want %v", id, err, want)
		}
	}
}
