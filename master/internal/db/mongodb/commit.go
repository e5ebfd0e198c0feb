package mongodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// planned is one task's row as a batch will leave it: several writes to a task
// become one.
type planned struct {
	id       string
	before   rowState
	after    taskRow
	terminal bool
	replaced []rowRef
	items    []*item
}

// inserts: there is no row yet, not even a grave.
func (p *planned) inserts() bool { return p.before.Version == 0 && !p.before.Gone }

// model compares and sets: the key forbids that two insert, and who replaces
// names version and epoch.
func (p *planned) model() mongo.WriteModel {
	if p.inserts() {
		return mongo.NewInsertOneModel().SetDocument(p.after)
	}
	return mongo.NewReplaceOneModel().SetReplacement(p.after).
		SetFilter(bson.M{"_id": p.id, "version": p.before.Version, "epoch": p.before.Epoch})
}

func (p *planned) answer(err error) {
	for _, it := range p.items {
		*it.answer = err
	}
}

// commit writes tasks that were handed over one after the other, and answers
// each.
func (w *writer) commit(items []*item) {
	for len(items) > 0 {
		n := w.portions.next(items)
		w.commitPortion(items[:n])
		items = items[n:]
	}
}

// commitPortion writes as many as go into one call.
func (w *writer) commitPortion(items []*item) {
	if err := w.ready(); err != nil {
		answerAll(items, err)
		return
	}
	// Another round is for what stood behind a refused write, for graves that
	// were in the way and are known by then, and for a key that is twice in the
	// batch: the second hears what became of the first.
	for rounds := 0; len(items) > 0 && rounds <= maxBatch; rounds++ {
		items = w.commitOnce(items)
	}
}

func answerAll(items []*item, err error) {
	for _, it := range items {
		*it.answer = err
	}
}

// commitOnce gives the items that are worth another try.
func (w *writer) commitOnce(items []*item) (again []*item) {
	if err := w.lookUp(items); err != nil {
		answerAll(items, fmt.Errorf("%w: nothing was written: %w", db.ErrUnavailable, err))
		return nil
	}
	taken, err := w.takenKeys(items)
	if err != nil {
		answerAll(items, fmt.Errorf("%w: nothing was written: %w", db.ErrUnavailable, err))
		return nil
	}
	plan, later := w.plan(items, taken)
	if len(plan) == 0 || !w.numberNotes(plan) || !w.writeSideRows(plan) {
		return later
	}
	again = w.writeTasks(plan)
	w.writeNotes()
	return append(again, later...)
}

// writeTasks makes what is planned count, and answers it.
func (w *writer) writeTasks(plan []*planned) (again []*item) {
	models := make([]mongo.WriteModel, len(plan))
	places := make([]place, len(plan))
	inserts := 0
	for i, p := range plan {
		models[i], places[i] = p.model(), place{w.s.in.tasks, p.id}
		if p.inserts() {
			inserts++
		}
	}
	var done int64
	err := w.send(w.timed(func(ctx context.Context) error {
		res, err := w.s.in.tasks.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(true))
		if err == nil {
			done = res.MatchedCount + res.InsertedCount
		}
		return err
	}, func(took, limit time.Duration, whole bool) {
		w.portions.inserts.after(inserts, took, limit, whole)
		w.portions.replaces.after(len(plan)-inserts, took, limit, whole)
	}), places...)
	switch {
	case err == nil && done == int64(len(plan)):
		for _, p := range plan {
			w.succeeded(p)
		}
		w.removeReplaced(plan)
	case err == nil, errors.Is(err, db.ErrVersion), errors.Is(err, db.ErrFull), errors.Is(err, cluster.ErrInvalid):
		return w.resolve(plan, places, err)
	default:
		for _, p := range plan {
			p.answer(err)
		}
	}
	return nil
}

// lookUp reads the state of rows that follow another version and are not known
// yet.
func (w *writer) lookUp(items []*item) error {
	var unknown []string
	for _, it := range items {
		id := string(it.task.w.Task.ID)
		if _, ok := w.rows[id]; !ok && it.task.w.Expect > 0 && !slices.Contains(unknown, id) {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return w.readStates(unknown)
}

// readStates notes what is there; a row that is not there is at version 0.
func (w *writer) readStates(ids []string) error {
	rows, err := findAll[rowState](context.Background(), w.s, w.s.in.tasks, among(ids),
		options.Find().SetProjection(bson.M{"version": 1, "epoch": 1, "write": 1, "rows": 1, "gone": 1}))
	if err != nil {
		return err
	}
	for _, id := range ids {
		w.rows[id] = rowState{Epoch: w.epoch}
	}
	for _, row := range rows {
		w.rows[row.ID] = row
	}
	return nil
}

// plan compares keys and versions and joins what belongs to one row. What is
// refused is answered. What has the same key as another item, or follows such
// a one, comes later.
func (w *writer) plan(items []*item, taken map[db.KeyName]db.Key) (plan []*planned, later []*item) {
	named, waits := map[db.KeyName]bool{}, map[string]bool{}
	byID := map[string]*planned{}
	refused := map[string]bool{}
	for _, it := range items {
		id := string(it.task.w.Task.ID)
		key := it.task.w.Key
		if waits[id] || key != nil && named[key.Name] {
			waits[id] = true
			later = append(later, it)
			continue
		}
		if err := isTaken(taken, key); err != nil {
			*it.answer = err
			continue
		}
		p, joined := byID[id]
		if !joined {
			state, ok := w.rows[id]
			if !ok {
				state = rowState{Epoch: w.epoch}
			}
			p = &planned{id: id, before: state}
		}
		version, refs := p.before.Version, p.before.Rows
		if joined {
			version, refs = p.after.Version, p.after.Rows
		}
		if version != it.task.w.Expect {
			*it.answer = fmt.Errorf("%w: task %s is at version %d, not %d", db.ErrVersion, id, version, it.task.w.Expect)
			refused[id] = true
			continue
		}
		after, replaced := it.task.refs(refs)
		notes := p.after.Notes // of those that it is joined to
		p.after, p.replaced = it.task.row(w.epoch, after), append(p.replaced, replaced...)
		p.after.Notes = it.task.notes(notes)
		p.terminal = it.task.w.Task.Terminal()
		p.items = append(p.items, it)
		if key != nil {
			named[key.Name] = true
			_, it.replacesKey = taken[key.Name]
		}
		if !joined {
			byID[id] = p
			plan = append(plan, p)
		}
	}
	for id := range refused { // or what is known of rows would only grow
		if byID[id] == nil {
			delete(w.rows, id)
		}
	}
	return plan, later
}

// succeeded answers and notes what the row is now. Of tasks that are over
// nothing is kept.
func (w *writer) succeeded(p *planned) {
	p.answer(nil)
	w.notes = append(w.notes, p.after.Notes...)
	if p.terminal {
		delete(w.rows, p.id)
		return
	}
	w.rows[p.id] = rowState{Version: p.after.Version, Epoch: p.after.Epoch, Write: p.after.Write, Rows: p.after.Rows}
}

// resolve reads what the server has carried out of a batch that it did not do
// whole; it has answered, so nothing is under way any more.
func (w *writer) resolve(plan []*planned, places []place, cause error) (again []*item) {
	ids := make([]string, len(plan))
	for i, p := range plan {
		ids[i] = p.id
	}
	if err := w.readStates(ids); err != nil {
		err = fmt.Errorf("%w: %w", db.ErrOutcomeUnknown, err)
		w.s.doubt.add(places...)
		w.fall(err)
		for _, p := range plan {
			p.answer(err)
		}
		return nil
	}
	refused := false
	for _, p := range plan {
		now := w.rows[p.id]
		switch {
		case now.Write == p.after.Write:
			w.succeeded(p)
		case now.Version == p.before.Version && now.Epoch == p.before.Epoch, now.Version == 0 && p.before.Version == 0:
			// Untouched: it stood behind the one that was refused, or a grave
			// was in its way, or it is the one.
			if cause != nil && !errors.Is(cause, db.ErrVersion) && !refused {
				refused = true
				p.answer(cause)
				continue
			}
			again = append(again, p.items...)
			p.answer(fmt.Errorf("%w: nothing was written", db.ErrUnavailable))
		default:
			p.answer(fmt.Errorf("%w: task %s is at version %d, not %d", db.ErrVersion, p.id, now.Version, p.before.Version))
			delete(w.rows, p.id)
		}
	}
	return again
}

// writeSideRows writes what the tasks will refer to. When that fails all is
// answered: what has been written counts for nothing.
func (w *writer) writeSideRows(plan []*planned) bool {
	var assignments, results, files, keys []any
	for _, p := range plan {
		for _, it := range p.items {
			if it.task.w.Assignment != nil {
				assignments = append(assignments, it.task.assignmentRow())
			}
			if it.task.w.Result != nil {
				results = append(results, it.task.resultRow())
			}
			if it.task.w.Key != nil {
				keys = append(keys, newKeyRow(it.task.w.Key, it.task.id))
			}
			files = append(files, it.task.fileRows()...)
		}
	}
	for _, of := range []struct {
		in   *mongo.Collection
		rows []any
	}{{w.s.in.assignments, assignments}, {w.s.in.results, results}, {w.s.in.files, files}, {w.s.in.keys, keys}} {
		if err := w.insertAll(of.in, of.rows); err != nil {
			for _, p := range plan {
				p.answer(err)
			}
			return false
		}
	}
	return true
}

func (w *writer) insertAll(in *mongo.Collection, rows []any) error {
	if err := w.insertRows(in, rows, false); err != nil {
		// Of unknown outcome or not: no task refers to them, so nothing
		// happened.
		return fmt.Errorf("%w: nothing was written: %s: %s", sideError(err), in.Name(), err.Error())
	}
	return nil
}

// insertRows inserts in calls that end within their time.
func (w *writer) insertRows(in *mongo.Collection, rows []any, ordered bool) error {
	for len(rows) > 0 {
		some := rows[:min(len(rows), w.portions.side.size)]
		err := w.send(w.timed(func(ctx context.Context) error {
			_, err := in.InsertMany(ctx, some, options.InsertMany().SetOrdered(ordered))
			return err
		}, func(took, limit time.Duration, whole bool) { w.portions.side.after(len(some), took, limit, whole) }))
		if err != nil {
			return err
		}
		rows = rows[len(some):]
	}
	return nil
}

// removeReplaced takes away rows that nothing refers to any more. What stays
// for want of an answer counts for nothing.
func (w *writer) removeReplaced(plan []*planned) {
	for _, p := range plan {
		for _, ref := range p.replaced {
			in := map[string]*mongo.Collection{
				kindAssignment: w.s.in.assignments, kindResult: w.s.in.results, kindFiles: w.s.in.files,
			}[ref.Kind]
			err := w.send(func(ctx context.Context) error {
				_, err := in.DeleteMany(ctx, bson.M{"task_id": p.id, "attempt": ref.Attempt, "write": ref.Write})
				return err
			})
			if err != nil {
				w.s.log.Warn("rows that nothing refers to are left", "collection", in.Name(), "task_id", p.id, "error", err)
				return
			}
		}
		for _, it := range p.items {
			if it.replacesKey {
				w.removeExpired(it.task.w.Key.Name, it.task.id)
			}
		}
	}
}
