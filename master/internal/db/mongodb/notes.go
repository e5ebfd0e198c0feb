package mongodb

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// noteRow is an audit entry within the row of the task whose write it came with:
// with that one change both count. From there it goes into the log before anybody
// is answered, and before any other task is written. So when the goroutine has
// ended in between, what is missing belongs to the last tasks that were written:
// their rows' Noted, the place that their last note would have had if all had come
// into force, is behind the end of the log. Notes stay in the row until its next
// write and count for nothing there.
type noteRow struct {
	Write bson.ObjectID `bson:"write"`
	Sum   int64         `bson:"sum"`
	Doc   string        `bson:"doc"` // as in the log
}

func noteSum(write bson.ObjectID, doc []byte) int64 {
	return document.Sum("note "+hex.EncodeToString(write[:]), 0, doc)
}

// notes adds the write's own to those that its row has.
func (c *taskWrite) notes(before []noteRow) []noteRow {
	if c.note == nil {
		return before
	}
	return append(before, noteRow{c.id, noteSum(c.id, c.note), string(c.note)})
}

// entry is the row of the log that a note becomes.
func (n *noteRow) entry() (auditRow, error) {
	if noteSum(n.Write, []byte(n.Doc)) != n.Sum {
		return auditRow{}, document.Damaged("tasks", hex.EncodeToString(n.Write[:]), "the checksum of its audit entry does not match")
	}
	e, err := document.DecodeAudit([]byte(n.Doc))
	if err != nil {
		return auditRow{}, err
	}
	row, err := newAuditRow(&e)
	row.Write = n.Write
	return row, err
}

// numberNotes says in each row that has notes where their places would end. When
// the end of the log cannot be read all is answered.
func (w *writer) numberNotes(plan []*planned) bool {
	var n int64
	for _, p := range plan {
		n += int64(len(p.after.Notes))
	}
	if n == 0 {
		return true
	}
	if err := w.bounded(w.knowAudit); err != nil {
		for _, p := range plan {
			p.answer(fmt.Errorf("%w: nothing was written: %w", sideError(err), err))
		}
		return false
	}
	n = w.auditLast
	for _, p := range plan {
		if len(p.after.Notes) > 0 {
			n += int64(len(p.after.Notes))
			p.after.Noted = n
		}
	}
	return true
}

// writeNotes moves the notes of tasks that have been written into the log. What
// fails keeps nothing from counting: it is found again before the next write.
func (w *writer) writeNotes() {
	notes := w.notes
	w.notes = nil
	err := w.insertNotes(notes)
	if errors.Is(err, db.ErrVersion) { // a late insert was in the way
		err = w.bounded(w.findNotes)
	}
	if err != nil {
		w.fall(fmt.Errorf("entries of the audit log wait beside their tasks: %w", err))
	}
}

// insertNotes leaves out what is damaged: that keeps no master from its work.
func (w *writer) insertNotes(notes []noteRow) error {
	rows := make([]auditRow, 0, len(notes))
	for i := range notes {
		row, err := notes[i].entry()
		if err != nil {
			w.s.log.Warn("an entry of the audit log is lost", "error", err)
			continue
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil
	}
	return w.insertAudit(rows)
}

// noteSpan is more than the entries that come with one batch.
const noteSpan = 2 * maxBatch

// notedRow is what findNotes reads of a task.
type notedRow struct {
	ID     string    `bson:"_id"`
	Epoch  int64     `bson:"epoch"`
	Status string    `bson:"status"`
	Noted  int64     `bson:"noted"`
	Notes  []noteRow `bson:"notes"`
}

// findNotes moves the notes into the log that are not there, whoever wrote them.
// Late inserts may be in the way more than once.
func (w *writer) findNotes(ctx context.Context) (err error) {
	for range 3 {
		if err = w.findNotesOnce(ctx); !errors.Is(err, db.ErrVersion) {
			break
		}
	}
	return err
}

func (w *writer) findNotesOnce(ctx context.Context) error {
	w.auditKnown = false
	if err := w.knowAudit(ctx); err != nil {
		return err
	}
	tasks, err := findAll[notedRow](ctx, w.s, w.s.in.tasks, bson.M{"noted": bson.M{"$gt": w.auditLast}},
		options.Find().SetProjection(bson.M{"epoch": 1, "status": 1, "noted": 1, "notes": 1}))
	if err != nil || len(tasks) == 0 {
		return err
	}
	stored, err := findAll[auditRow](ctx, w.s, w.s.in.audit, bson.M{"_id": bson.M{"$gt": w.auditLast - noteSpan}},
		options.Find().SetProjection(bson.M{"write": 1}))
	if err != nil {
		return err
	}
	known := make(map[bson.ObjectID]bool, len(stored))
	for _, row := range stored {
		known[row.Write] = true
	}
	slices.SortFunc(tasks, func(a, b notedRow) int { return cmp.Compare(a.Noted, b.Noted) })
	var missing []noteRow
	for _, t := range tasks {
		if t.late(w.s.base) {
			continue
		}
		for _, n := range t.Notes {
			if !known[n.Write] {
				missing = append(missing, n)
			}
		}
	}
	return w.insertNotes(missing)
}

// late reports whether the row is an insert of an earlier master that came after
// the takeover; it is undone.
func (t *notedRow) late(base int64) bool {
	return t.Epoch < base && slices.Contains(activeStatuses, t.Status)
}
