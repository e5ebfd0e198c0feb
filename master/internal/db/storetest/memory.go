package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// Memory is the reference store: the contract of db.Store in the plainest
// words, deterministic and without goroutines, for the suite to compare with
// and for simulations. A process that uses it can be crashed and restarted
// without ending the test: see Crash and CrashAt.
type Memory struct {
	mu      sync.Mutex
	data    *memoryData // shared with the store's next life
	gone    bool        // closed or crashed
	crashAt int         // writes until the crash; 0: none is planned
}

var _ db.Store = (*Memory)(nil)

type attemptKey struct {
	task    cluster.TaskID
	attempt int
}

// memoryData is what is on the imagined disk.
type memoryData struct {
	tasks       map[cluster.TaskID]cluster.Task
	assignments map[attemptKey]db.Assignment
	results     map[attemptKey]db.Result
	files       map[attemptKey][]cluster.File
	keys        map[db.KeyName]db.Key
	workers     map[cluster.WorkerID]cluster.Worker
	users       map[cluster.UserID]cluster.User
	tokens      map[string]cluster.APIToken
	ended       map[string]time.Time // sessions
	audit       []cluster.AuditEntry // by Seq
	meta        map[string]string
}

// NewMemory is an empty store.
func NewMemory() *Memory {
	return &Memory{data: &memoryData{
		tasks:       map[cluster.TaskID]cluster.Task{},
		assignments: map[attemptKey]db.Assignment{},
		results:     map[attemptKey]db.Result{},
		files:       map[attemptKey][]cluster.File{},
		keys:        map[db.KeyName]db.Key{},
		workers:     map[cluster.WorkerID]cluster.Worker{},
		users:       map[cluster.UserID]cluster.User{},
		tokens:      map[string]cluster.APIToken{},
		ended:       map[string]time.Time{},
		meta:        map[string]string{},
	}}
}

// CrashAt plans a crash at the n-th task write from now, 1 being the next: the
// writes before it are kept, that one is lost and answers ErrOutcomeUnknown,
// and the store is gone, so that all after it answer ErrUnavailable.
func (m *Memory) CrashAt(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crashAt = n
}

// Crash ends this store like a power cut: every later call answers
// ErrUnavailable. What it had committed is in Reopen.
func (m *Memory) Crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone = true
}

// Reopen ends this store and gives the next life of its data.
func (m *Memory) Reopen() *Memory {
	m.Crash()
	return &Memory{data: m.data}
}

// Close implements db.Store.
func (m *Memory) Close() error {
	m.Crash()
	return nil
}

// use runs f with the data, unless the context or the store has ended.
func (m *Memory) use(ctx context.Context, f func(d *memoryData) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return fmt.Errorf("%w: memory store is closed", db.ErrUnavailable)
	}
	return f(m.data)
}

// write is use for something that changes the data.
func (m *Memory) write(ctx context.Context, f func(d *memoryData) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: nothing was written: %w", db.ErrUnavailable, err)
	}
	return m.use(context.WithoutCancel(ctx), f)
}

// Commit implements db.Tasks.
func (m *Memory) Commit(ctx context.Context, writes []db.Write) []error {
	errs := make([]error, len(writes))
	for i, w := range writes {
		if errs[i] = w.Check(); errs[i] != nil {
			continue
		}
		errs[i] = m.write(ctx, func(d *memoryData) error {
			if m.crashesNow() {
				return db.ErrOutcomeUnknown
			}
			return d.commit(w)
		})
	}
	return errs
}

// crashesNow counts down to the planned crash.
func (m *Memory) crashesNow() bool {
	m.gone = m.crashAt == 1
	m.crashAt = max(m.crashAt-1, 0)
	return m.gone
}

func (d *memoryData) commit(w db.Write) error {
	if k := w.Key; k != nil {
		if err := d.keyFree(k); err != nil {
			return err
		}
	}
	old, found := d.tasks[w.Task.ID]
	if found && old.Version != w.Expect || !found && w.Expect != 0 {
		return fmt.Errorf("%w: task %s is at version %d, not %d", db.ErrVersion, w.Task.ID, old.Version, w.Expect)
	}
	d.tasks[w.Task.ID] = w.Task
	if k := w.Key; k != nil {
		d.keys[k.Name] = *k
	}
	if w.Audit != nil {
		d.appendAudit(*w.Audit)
	}
	if a := w.Assignment; a != nil {
		d.assignments[attemptKey{a.Ref.TaskID, a.Ref.Attempt}] = *a
	}
	if r := w.Result; r != nil {
		d.results[attemptKey{r.Ref.TaskID, r.Ref.Attempt}] = *r
	}
	if w.Files != nil {
		rows := slices.Clone(w.Files)
		slices.SortFunc(rows, func(a, b cluster.File) int { return strings.Compare(a.Path, b.Path) })
		d.files[attemptKey{w.Task.ID, w.Task.Files.Attempt}] = rows
	}
	return nil
}

// DeleteTasks implements db.Tasks.
func (m *Memory) DeleteTasks(ctx context.Context, rows []db.TaskVersion) []error {
	errs := make([]error, len(rows))
	for i, row := range rows {
		errs[i] = m.write(ctx, func(d *memoryData) error {
			if m.crashesNow() {
				return db.ErrOutcomeUnknown
			}
			return d.deleteTask(row)
		})
	}
	return errs
}

func (d *memoryData) deleteTask(row db.TaskVersion) error {
	if old, found := d.tasks[row.ID]; !found || old.Version != row.Version {
		return fmt.Errorf("%w: task %s is not at version %d", db.ErrVersion, row.ID, row.Version)
	}
	delete(d.tasks, row.ID)
	belongs := func(key attemptKey) bool { return key.task == row.ID }
	maps.DeleteFunc(d.assignments, func(key attemptKey, _ db.Assignment) bool { return belongs(key) })
	maps.DeleteFunc(d.results, func(key attemptKey, _ db.Result) bool { return belongs(key) })
	maps.DeleteFunc(d.files, func(key attemptKey, _ []cluster.File) bool { return belongs(key) })
	return nil
}

// Task implements db.Tasks.
func (m *Memory) Task(ctx context.Context, id cluster.TaskID) (t cluster.Task, err error) {
	err = m.use(ctx, func(d *memoryData) error {
		var found bool
		if t, found = d.tasks[id]; !found {
			return fmt.Errorf("task %s: %w", id, cluster.ErrNotFound)
		}
		return nil
	})
	return t, err
}

// PutWorker implements db.Workers.
func (m *Memory) PutWorker(ctx context.Context, w cluster.Worker) error {
	return m.write(ctx, func(d *memoryData) error {
		d.workers[w.ID] = w
		return nil
	})
}

// DeleteWorker implements db.Workers.
func (m *Memory) DeleteWorker(ctx context.Context, id cluster.WorkerID) error {
	return m.write(ctx, func(d *memoryData) error {
		delete(d.workers, id)
		return nil
	})
}

// ListWorkers implements db.Workers.
func (m *Memory) ListWorkers(ctx context.Context) (list []cluster.Worker, err error) {
	err = m.use(ctx, func(d *memoryData) error {
		for _, id := range slices.Sorted(maps.Keys(d.workers)) {
			list = append(list, d.workers[id])
		}
		return nil
	})
	return list, err
}

// MetaOnce implements db.Meta.
func (m *Memory) MetaOnce(ctx context.Context, name, value string) (now string, err error) {
	err = m.write(ctx, func(d *memoryData) error {
		var found bool
		if now, found = d.meta[name]; !found {
			d.meta[name], now = value, value
		}
		return nil
	})
	return now, err
}
