package mongodb

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/db"
)

// deletedRow stands in the place of a deleted task while keys of requests that
// belong to it count, since a key counts only while the task's row names its
// write. Apart from that it is a grave.
type deletedRow struct {
	ID      string   `bson:"_id"`
	Version int64    `bson:"version"` // 0
	Epoch   int64    `bson:"epoch"`
	Gone    bool     `bson:"gone"` // true
	Rows    []rowRef `bson:"rows"` // the keys
}

// DeleteTasks implements db.Tasks.
func (s *Store) DeleteTasks(ctx context.Context, rows []db.TaskVersion) []error {
	changes := make([]change, len(rows))
	for i, row := range rows {
		changes[i] = change{do: func(ctx context.Context, w *writer) error { return w.deleteTask(ctx, row) }}
	}
	return s.queue.ChangeAll(ctx, changes)
}

// deleteTask removes the task's row first, since what it refers to counts only
// with it.
func (w *writer) deleteTask(ctx context.Context, row db.TaskVersion) error {
	if err := w.ready(); err != nil {
		return err
	}
	id := string(row.ID)
	if err := w.readStates([]string{id}); err != nil {
		return fmt.Errorf("%w: nothing was deleted: %w", db.ErrUnavailable, err)
	}
	state := w.rows[id]
	delete(w.rows, id)
	if state.Gone || state.Version != row.Version {
		return fmt.Errorf("%w: task %s is at version %d, not %d", db.ErrVersion, id, state.Version, row.Version)
	}
	var keys []rowRef
	for _, ref := range state.Rows {
		if ref.Kind == kindKey {
			keys = append(keys, ref)
		}
	}
	filter := bson.M{"_id": id, "version": state.Version, "epoch": state.Epoch}
	var met int64
	err := w.send(func(ctx context.Context) error {
		if len(keys) == 0 {
			res, err := w.s.in.tasks.DeleteOne(ctx, filter)
			if err == nil {
				met = res.DeletedCount
			}
			return err
		}
		res, err := w.s.in.tasks.ReplaceOne(ctx, filter, deletedRow{ID: id, Epoch: w.epoch, Gone: true, Rows: keys})
		if err == nil {
			met = res.MatchedCount
		}
		return err
	}, place{w.s.in.tasks, id})
	switch {
	case err != nil:
		return err
	case met == 0:
		return fmt.Errorf("%w: task %s was changed meanwhile", db.ErrVersion, id)
	}
	w.removeSideRows(id)
	return ctx.Err()
}

// removeSideRows takes away what belonged to a task that was deleted. What
// stays for want of an answer counts for nothing.
func (w *writer) removeSideRows(id string) {
	for _, in := range []*mongo.Collection{w.s.in.assignments, w.s.in.results, w.s.in.files} {
		err := w.send(func(ctx context.Context) error {
			_, err := in.DeleteMany(ctx, bson.M{"task_id": id})
			return err
		})
		if err != nil {
			w.s.log.Warn("rows of a deleted task are left", "collection", in.Name(), "task_id", id, "error", err)
			return
		}
	}
}

// removeDeleted takes away what stands in the place of deleted tasks of which no
// key counts any more.
func (w *writer) removeDeleted(ids []string) error {
	left, err := findAll[keyRow](context.Background(), w.s, w.s.in.keys, bson.M{"task_id": bson.M{"$in": ids}},
		options.Find().SetProjection(bson.M{"task_id": 1}))
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, row := range left {
		named[row.TaskID] = true
	}
	over := make([]string, 0, len(ids))
	for _, id := range ids {
		if !named[id] {
			over = append(over, id)
			delete(w.rows, id)
		}
	}
	if len(over) == 0 {
		return nil
	}
	err = w.send(func(ctx context.Context) error {
		_, err := w.s.in.tasks.DeleteMany(ctx, bson.M{"_id": bson.M{"$in": over}, "gone": true})
		return err
	})
	if errors.Is(err, db.ErrOutcomeUnknown) {
		return nil // it is done with the next keys, or stays and counts for nothing
	}
	return err
}
