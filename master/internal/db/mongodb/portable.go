package mongodb

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// notGone leaves graves out.
var notGone = bson.M{"gone": bson.M{"$ne": true}}

// refuseHalfFilled is db.ErrHalfFilled when a filling did not come to its end.
func (s *Store) refuseHalfFilled(ctx context.Context) error {
	begun, err := s.isFilling(ctx)
	if err == nil && begun {
		err = fmt.Errorf("%w: database %s: a migration into it did not come to its end; run it again", db.ErrHalfFilled, s.opts.Database)
	}
	return err
}

func (s *Store) isFilling(ctx context.Context) (bool, error) {
	var row metaRow
	return s.findOne(ctx, s.in.meta, bson.M{"_id": db.FillingName}, &row)
}

// content are the collections that hold what moves.
func (s *Store) content() []*mongo.Collection {
	return []*mongo.Collection{
		s.in.tasks, s.in.assignments, s.in.results, s.in.files, s.in.keys, s.in.workers, s.in.users, s.in.tokens, s.in.ended, s.in.audit, s.in.meta,
	}
}

// Fill implements db.Portable. The mark is there before anything is removed,
// and is removed by nobody but Filled.
func (s *Store) Fill(ctx context.Context) error {
	begun, err := s.isFilling(ctx)
	if err != nil {
		return err
	}
	if !begun {
		if err := s.refuseContent(ctx); err != nil {
			return err
		}
		if _, err := s.MetaOnce(ctx, db.FillingName, "begun"); err != nil {
			return err
		}
	}
	return s.change(ctx, func(ctx context.Context, w *writer) error {
		clear(w.rows)
		w.auditKnown = false
		for _, in := range s.content() {
			filter := bson.M{}
			if in == s.in.meta {
				filter = bson.M{"_id": bson.M{"$ne": db.FillingName}}
			}
			if err := w.removeAll(ctx, in, filter); err != nil {
				return err
			}
		}
		return nil
	})
}

// removeAll deletes rows in calls that end within their time.
func (w *writer) removeAll(ctx context.Context, in *mongo.Collection, filter bson.M) error {
	for {
		rows, err := findAll[idRow](ctx, w.s, in, filter, options.Find().SetProjection(bson.M{"_id": 1}).SetLimit(dumpPortion))
		if err != nil || len(rows) == 0 {
			return err
		}
		ids := make([]any, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
		}
		err = w.send(func(ctx context.Context) error {
			_, err := in.DeleteMany(ctx, bson.M{"_id": bson.M{"$in": ids}})
			return err
		})
		if err != nil {
			return err
		}
	}
}

// refuseContent is db.ErrNotEmpty when there is a row that counts.
func (s *Store) refuseContent(ctx context.Context) error {
	for _, in := range s.content() {
		var row bson.Raw
		found, err := s.findOne(ctx, in, notGone, &row, options.FindOne().SetProjection(bson.M{"_id": 1}))
		if err != nil {
			return err
		}
		if found {
			return fmt.Errorf("%w: database %s: its collection %s has rows", db.ErrNotEmpty, s.opts.Database, in.Name())
		}
	}
	return nil
}

// Filled implements db.Portable.
func (s *Store) Filled(ctx context.Context) error {
	return s.change(ctx, func(_ context.Context, w *writer) error {
		return w.send(func(ctx context.Context) error {
			_, err := s.in.meta.DeleteOne(ctx, bson.M{"_id": db.FillingName})
			return err
		})
	})
}

// Load implements db.Portable. What belongs to a task goes before it. A portion
// that fails is not settled: who fills starts over.
func (s *Store) Load(ctx context.Context, records []db.Record) error {
	return s.change(ctx, func(_ context.Context, w *writer) error {
		rows := map[*mongo.Collection][]any{}
		for _, r := range records {
			if err := s.rowsOf(w.epoch, r, rows); err != nil {
				return err
			}
		}
		inOrder := s.content()
		slices.Reverse(inOrder) // tasks last
		for _, in := range inOrder {
			if err := w.insertRows(in, rows[in], true); err != nil {
				return fmt.Errorf("%s: %w", in.Name(), err)
			}
		}
		return nil
	})
}

// rowsOf adds the rows of a record to those of their collections.
func (s *Store) rowsOf(epoch int64, r db.Record, rows map[*mongo.Collection][]any) error {
	add := func(in *mongo.Collection, row any) { rows[in] = append(rows[in], row) }
	switch {
	case r.Meta != nil:
		add(s.in.meta, newMetaRow(*r.Meta))
	case r.User != nil:
		add(s.in.users, newUserRow(epoch, *r.User))
	case r.Token != nil:
		add(s.in.tokens, newTokenRow(epoch, *r.Token))
	case r.Ended != nil:
		add(s.in.ended, newEndedRow(*r.Ended))
	case r.Worker != nil:
		doc, err := document.EncodeWorker(r.Worker)
		if err != nil {
			return err
		}
		add(s.in.workers, newWorkerRow(epoch, string(r.Worker.ID), doc))
	case r.Audit != nil:
		row, err := newAuditRow(r.Audit)
		if err != nil {
			return err
		}
		add(s.in.audit, row)
	case r.Key != nil:
		add(s.in.keys, newKeyRow(r.Key, bson.NewObjectID()))
	case r.Task != nil:
		return s.rowsOfTask(epoch, r.Task, add)
	}
	return nil
}

// rowsOfTask makes of each row beside the task a write of its own, which the
// task names.
func (s *Store) rowsOfTask(epoch int64, r *db.TaskRecord, add func(*mongo.Collection, any)) error {
	var refs []rowRef
	write := func(kind string, attempt int) *taskWrite {
		c := &taskWrite{w: db.Write{Task: r.Task}, id: bson.NewObjectID()}
		refs = append(refs, rowRef{kind, attempt, c.id})
		return c
	}
	for i := range r.Assignments {
		c := write(kindAssignment, r.Assignments[i].Ref.Attempt)
		c.w.Assignment = &r.Assignments[i]
		add(s.in.assignments, c.assignmentRow())
	}
	for i := range r.Results {
		c := write(kindResult, r.Results[i].Ref.Attempt)
		c.w.Result = &r.Results[i]
		var err error
		if c.result, err = document.EncodeResult(&r.Results[i]); err != nil {
			return err
		}
		add(s.in.results, c.resultRow())
	}
	for _, p := range r.Files {
		c := write(kindFiles, p.Attempt)
		c.w.Task.Files.Attempt, c.w.Files = p.Attempt, p.Files
		for _, row := range c.fileRows() {
			add(s.in.files, row)
		}
	}
	for i := range r.Keys {
		add(s.in.keys, newKeyRow(&r.Keys[i], write(kindKey, r.Task.Attempt).id))
	}
	c := &taskWrite{w: db.Write{Task: r.Task}, id: bson.NewObjectID()}
	var err error
	if c.doc, err = document.EncodeTask(&r.Task); err != nil {
		return err
	}
	if len(c.doc) > maxDocument {
		return fmt.Errorf("%w: task %s takes %d bytes, a row of the database holds %d", cluster.ErrInvalid, r.Task.ID, len(c.doc), maxDocument)
	}
	add(s.in.tasks, c.row(epoch, refs))
	return nil
}
