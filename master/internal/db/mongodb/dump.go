package mongodb

import (
	"cmp"
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// dumpPortion is how many rows are read in one call.
const dumpPortion = 250

// idRow is only the key of any row.
type idRow struct {
	ID any `bson:"_id"`
}

// eachPortion calls f with rows of a collection in the order of their keys. No
// read is open while f runs.
func eachPortion[Row any](ctx context.Context, s *Store, in *mongo.Collection, key func(*Row) any, f func([]Row) error) error {
	filter := bson.M{}
	for {
		rows, err := findAll[Row](ctx, s, in, filter, options.Find().SetSort(order("_id")).SetLimit(dumpPortion))
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := f(rows); err != nil || len(rows) < dumpPortion {
			return err
		}
		filter = bson.M{"_id": bson.M{"$gt": key(&rows[len(rows)-1])}}
	}
}

// dumpEach yields what record makes of each row; an empty one is passed over.
func dumpEach[Row any](ctx context.Context, s *Store, in *mongo.Collection, key func(*Row) any, record func(*Row) (db.Record, error), yield func(db.Record) error) error {
	return eachPortion(ctx, s, in, key, func(rows []Row) error {
		for i := range rows {
			r, err := record(&rows[i])
			if err == nil && r != (db.Record{}) {
				err = yield(r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Dump implements db.Portable.
func (s *Store) Dump(ctx context.Context, yield func(db.Record) error) error {
	steps := []func() error{
		func() error {
			return dumpEach(ctx, s, s.in.meta, func(r *metaRow) any { return r.Name }, func(r *metaRow) (db.Record, error) {
				if r.Name == db.FillingName {
					return db.Record{}, nil
				}
				m, err := r.value()
				return db.Record{Meta: &m}, err
			}, yield)
		},
		func() error {
			return dumpEach(ctx, s, s.in.users, func(r *userRow) any { return r.ID }, func(r *userRow) (db.Record, error) {
				if r.Gone {
					return db.Record{}, nil
				}
				u, err := r.user()
				return db.Record{User: &u}, err
			}, yield)
		},
		func() error {
			return dumpEach(ctx, s, s.in.tokens, func(r *tokenRow) any { return r.ID }, func(r *tokenRow) (db.Record, error) {
				if r.Gone {
					return db.Record{}, nil
				}
				t, err := r.token()
				return db.Record{Token: &t}, err
			}, yield)
		},
		func() error {
			return dumpEach(ctx, s, s.in.ended, func(r *endedRow) any { return r.ID }, func(r *endedRow) (db.Record, error) {
				e, err := r.ended()
				return db.Record{Ended: &e}, err
			}, yield)
		},
		func() error { return s.dumpWorkers(ctx, yield) },
		func() error {
			return dumpEach(ctx, s, s.in.audit, func(r *auditRow) any { return r.Seq }, func(r *auditRow) (db.Record, error) {
				e, err := r.entry()
				return db.Record{Audit: &e}, err
			}, yield)
		},
		func() error { return s.dumpTasks(ctx, yield) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) dumpWorkers(ctx context.Context, yield func(db.Record) error) error {
	workers, err := s.ListWorkers(ctx)
	if err != nil {
		return err
	}
	for i := range workers {
		if err := yield(db.Record{Worker: &workers[i]}); err != nil {
			return err
		}
	}
	return nil
}

// besideRows are rows of tasks, by task.
type besideRows struct {
	assignments map[string][]assignmentRow
	results     map[string][]resultRow
	files       map[string][]fileRow
	keys        map[string][]keyRow
}

// dumpTasks reads placements and keys, which have no index by task, into memory
// first, the rest with each portion of tasks.
func (s *Store) dumpTasks(ctx context.Context, yield func(db.Record) error) error {
	beside := besideRows{assignments: map[string][]assignmentRow{}, keys: map[string][]keyRow{}}
	err := eachPortion(ctx, s, s.in.assignments, func(r *assignmentRow) any { return r.ID }, func(rows []assignmentRow) error {
		group(beside.assignments, rows, func(r *assignmentRow) string { return r.TaskID })
		return nil
	})
	if err != nil {
		return err
	}
	err = eachPortion(ctx, s, s.in.keys, func(r *keyRow) any { return r.ID }, func(rows []keyRow) error {
		group(beside.keys, rows, func(r *keyRow) string { return r.TaskID })
		return nil
	})
	if err != nil {
		return err
	}
	if err := beside.dumpKeys(yield); err != nil {
		return err
	}
	return eachPortion(ctx, s, s.in.tasks, func(r *taskRow) any { return r.ID }, func(tasks []taskRow) error {
		if err := s.readBeside(ctx, tasks, &beside); err != nil {
			return err
		}
		for i := range tasks {
			if tasks[i].Gone {
				continue
			}
			record, err := beside.record(&tasks[i])
			if err == nil {
				err = yield(db.Record{Task: record})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// dumpKeys yields the keys of no task.
func (b *besideRows) dumpKeys(yield func(db.Record) error) error {
	keys, err := decodeKeys(b.keys[""], func(*keyRow) bool { return true })
	for i := 0; i < len(keys) && err == nil; i++ {
		err = yield(db.Record{Key: &keys[i]})
	}
	return err
}

// group adds rows to those of their task.
func group[Row any](by map[string][]Row, rows []Row, task func(*Row) string) {
	for i := range rows {
		id := task(&rows[i])
		by[id] = append(by[id], rows[i])
	}
}

func (s *Store) readBeside(ctx context.Context, tasks []taskRow, beside *besideRows) error {
	ids := make([]string, len(tasks))
	for i := range tasks {
		ids[i] = tasks[i].ID
	}
	filter := bson.M{"task_id": bson.M{"$in": ids}}
	results, err := findAll[resultRow](ctx, s, s.in.results, filter, options.Find().SetSort(order("task_id", "attempt")))
	if err != nil {
		return err
	}
	files, err := findAll[fileRow](ctx, s, s.in.files, filter, options.Find().SetSort(order("task_id", "attempt", "path")))
	if err != nil {
		return err
	}
	beside.results, beside.files = map[string][]resultRow{}, map[string][]fileRow{}
	group(beside.results, results, func(r *resultRow) string { return r.TaskID })
	group(beside.files, files, func(r *fileRow) string { return r.TaskID })
	return nil
}

// record is a task with the rows that it names.
func (b *besideRows) record(task *taskRow) (*db.TaskRecord, error) {
	t, err := task.task()
	if err != nil {
		return nil, err
	}
	r := &db.TaskRecord{Task: t}
	for _, a := range b.assignments[task.ID] {
		if write, ok := refOf(task.Rows, kindAssignment, a.Attempt); ok && write == a.Write {
			placed, err := a.assignment()
			if err != nil {
				return nil, err
			}
			r.Assignments = append(r.Assignments, placed)
		}
	}
	slices.SortFunc(r.Assignments, func(x, y db.Assignment) int { return cmp.Compare(x.Ref.Attempt, y.Ref.Attempt) })
	for _, row := range b.results[task.ID] {
		if write, ok := refOf(task.Rows, kindResult, row.Attempt); !ok || write != row.Write {
			continue
		}
		result, err := document.DecodeResult(row.TaskID, int64(row.Attempt), row.Sum, []byte(row.Doc))
		if err != nil {
			return nil, err
		}
		r.Results = append(r.Results, result)
	}
	if r.Keys, err = keysOf(task, b.keys[task.ID]); err != nil {
		return nil, err
	}
	return r, b.addFiles(task, r)
}

func (b *besideRows) addFiles(task *taskRow, r *db.TaskRecord) error {
	for _, row := range b.files[task.ID] {
		if write, ok := refOf(task.Rows, kindFiles, row.Attempt); !ok || write != row.Write {
			continue
		}
		f, err := row.file()
		if err != nil {
			return err
		}
		if n := len(r.Files); n == 0 || r.Files[n-1].Attempt != row.Attempt {
			r.Files = append(r.Files, db.PublishedAt{Attempt: row.Attempt})
		}
		last := &r.Files[len(r.Files)-1]
		last.Files = append(last.Files, f)
	}
	return nil
}

// keysOf are the keys that the task names, by name.
func keysOf(task *taskRow, rows []keyRow) ([]db.Key, error) {
	return decodeKeys(rows, func(r *keyRow) bool {
		return slices.ContainsFunc(task.Rows, func(ref rowRef) bool { return ref.Kind == kindKey && ref.Write == r.Write })
	})
}

// decodeKeys gives the keys of those rows that count, by name.
func decodeKeys(rows []keyRow, counts func(*keyRow) bool) (keys []db.Key, err error) {
	for i := range rows {
		if !counts(&rows[i]) {
			continue
		}
		k, err := rows[i].key()
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b db.Key) int {
		return cmp.Or(cmp.Compare(a.Name.UserID, b.Name.UserID), cmp.Compare(a.Name.Route, b.Name.Route), cmp.Compare(a.Name.Key, b.Name.Key))
	})
	return keys, nil
}
