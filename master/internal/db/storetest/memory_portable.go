package storetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

var _ db.Portable = (*Memory)(nil)

// Dump implements db.Portable.
func (m *Memory) Dump(ctx context.Context, yield func(db.Record) error) error {
	var records []db.Record
	err := m.use(ctx, func(d *memoryData) error {
		records = d.dump()
		return nil
	})
	for i := 0; i < len(records) && err == nil; i++ {
		err = yield(records[i])
	}
	return err
}

func (d *memoryData) dump() (records []db.Record) {
	for _, name := range slices.Sorted(maps.Keys(d.meta)) {
		if name != db.FillingName {
			records = append(records, db.Record{Meta: &db.MetaValue{Name: name, Value: d.meta[name]}})
		}
	}
	ascending(d.users, func(u cluster.User) { records = append(records, db.Record{User: &u}) })
	ascending(d.tokens, func(t cluster.APIToken) { records = append(records, db.Record{Token: &t}) })
	for _, id := range slices.Sorted(maps.Keys(d.ended)) {
		records = append(records, db.Record{Ended: &db.EndedSession{ID: id, Until: d.ended[id]}})
	}
	ascending(d.workers, func(w cluster.Worker) { records = append(records, db.Record{Worker: &w}) })
	for i := range d.audit {
		records = append(records, db.Record{Audit: &d.audit[i]})
	}
	for _, k := range d.keysOf("") {
		records = append(records, db.Record{Key: &k})
	}
	ascending(d.tasks, func(t cluster.Task) { records = append(records, db.Record{Task: d.taskRecord(t)}) })
	return records
}

func (d *memoryData) taskRecord(t cluster.Task) *db.TaskRecord {
	r := &db.TaskRecord{Task: t}
	of := func(k attemptKey) bool { return k.task == t.ID }
	each(d.assignments, of, func(_ int, a db.Assignment) { r.Assignments = append(r.Assignments, a) })
	each(d.results, of, func(_ int, res db.Result) { r.Results = append(r.Results, res) })
	each(d.files, of, func(attempt int, files []cluster.File) {
		if len(files) > 0 {
			r.Files = append(r.Files, db.PublishedAt{Attempt: attempt, Files: files})
		}
	})
	r.Keys = d.keysOf(t.ID)
	return r
}

// keysOf are the keys of a task, or of none, by name.
func (d *memoryData) keysOf(task cluster.TaskID) (keys []db.Key) {
	for _, k := range d.keys {
		if k.TaskID == task {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b db.Key) int {
		return cmp.Or(cmp.Compare(a.Name.UserID, b.Name.UserID), cmp.Compare(a.Name.Route, b.Name.Route), cmp.Compare(a.Name.Key, b.Name.Key))
	})
	return keys
}

// ascending calls f for each value by key.
func ascending[K cmp.Ordered, V any](m map[K]V, f func(V)) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		f(m[k])
	}
}

// each calls f for the rows of a task by attempt.
func each[V any](m map[attemptKey]V, of func(attemptKey) bool, f func(attempt int, v V)) {
	var attempts []attemptKey
	for k := range m {
		if of(k) {
			attempts = append(attempts, k)
		}
	}
	slices.SortFunc(attempts, func(a, b attemptKey) int { return cmp.Compare(a.attempt, b.attempt) })
	for _, k := range attempts {
		f(k.attempt, m[k])
	}
}

// Fill implements db.Portable.
func (m *Memory) Fill(ctx context.Context) error {
	return m.write(ctx, func(d *memoryData) error {
		if _, begun := d.meta[db.FillingName]; !begun && len(d.dump()) > 0 {
			return fmt.Errorf("%w: memory", db.ErrNotEmpty)
		}
		*d = *NewMemory().data
		d.meta[db.FillingName] = "begun"
		return nil
	})
}

// Filled implements db.Portable.
func (m *Memory) Filled(ctx context.Context) error {
	return m.write(ctx, func(d *memoryData) error {
		delete(d.meta, db.FillingName)
		return nil
	})
}

// Load implements db.Portable.
func (m *Memory) Load(ctx context.Context, records []db.Record) error {
	return m.write(ctx, func(d *memoryData) error {
		for _, r := range records {
			d.load(r)
		}
		return nil
	})
}

func (d *memoryData) load(r db.Record) {
	switch {
	case r.Meta != nil:
		d.meta[r.Meta.Name] = r.Meta.Value
	case r.User != nil:
		d.users[r.User.ID] = *r.User
	case r.Token != nil:
		d.tokens[r.Token.ID] = *r.Token
	case r.Ended != nil:
		d.ended[r.Ended.ID] = r.Ended.Until
	case r.Worker != nil:
		d.workers[r.Worker.ID] = *r.Worker
	case r.Audit != nil:
		d.audit = append(d.audit, *r.Audit)
	case r.Key != nil:
		d.keys[r.Key.Name] = *r.Key
	case r.Task != nil:
		d.loadTask(r.Task)
	}
}

func (d *memoryData) loadTask(r *db.TaskRecord) {
	id := r.Task.ID
	d.tasks[id] = r.Task
	for _, a := range r.Assignments {
		d.assignments[attemptKey{id, a.Ref.Attempt}] = a
	}
	for _, res := range r.Results {
		d.results[attemptKey{id, res.Ref.Attempt}] = res
	}
	for _, p := range r.Files {
		d.files[attemptKey{id, p.Attempt}] = p.Files
	}
	for _, k := range r.Keys {
		d.keys[k.Name] = k
	}
}
