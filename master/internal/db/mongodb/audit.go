package mongodb

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

type auditRow struct {
	Seq     int64  `bson:"_id"`
	Time    int64  `bson:"time"` // nanoseconds since 1970
	UserID  string `bson:"user_id"`
	Action  string `bson:"action"`
	Target  string `bson:"target"`
	Outcome string `bson:"outcome"`
	Sum     int64  `bson:"sum"`
	Doc     string `bson:"doc"` // JSON, see package document
}

func newAuditRow(e *cluster.AuditEntry) (auditRow, error) {
	r, err := document.EncodeAudit(e)
	return auditRow{r.Seq, r.Time, r.UserID, r.Action, r.Target, r.Outcome, r.Sum, string(r.Doc)}, err
}

// entry decodes a row after a look at its checksum.
func (r *auditRow) entry() (cluster.AuditEntry, error) {
	row := document.AuditRow{
		Seq: r.Seq, Time: r.Time, UserID: r.UserID, Action: r.Action, Target: r.Target, Outcome: r.Outcome, Sum: r.Sum, Doc: []byte(r.Doc),
	}
	return row.Entry()
}

// AppendAudit implements db.Audit. That an insert of an overtaken master comes
// late needs no fence: its place is taken, or it has it.
func (s *Store) AppendAudit(ctx context.Context, entries []cluster.AuditEntry) error {
	rows := make([]any, len(entries))
	for i := range entries {
		row, err := newAuditRow(&entries[i])
		if err != nil {
			return err
		}
		rows[i] = row
	}
	if len(rows) == 0 {
		return ctx.Err()
	}
	return s.change(ctx, func(ctx context.Context, w *writer) error { return w.appendAudit(ctx, entries, rows) })
}

func (w *writer) appendAudit(ctx context.Context, entries []cluster.AuditEntry, rows []any) error {
	if err := w.ready(); err != nil {
		return err
	}
	if !w.auditKnown {
		last, err := w.s.ListAudit(ctx, cluster.AuditFilter{}, 0, 1)
		if err != nil {
			return err
		}
		w.auditLast, w.auditKnown = 0, true
		if len(last) > 0 {
			w.auditLast = last[0].Seq
		}
	}
	for i := range entries {
		if want := w.auditLast + int64(i) + 1; entries[i].Seq != want {
			return fmt.Errorf("%w: audit entry %d in the place of %d", db.ErrVersion, entries[i].Seq, want)
		}
	}
	err := w.send(func(ctx context.Context) error {
		_, err := w.s.in.audit.InsertMany(ctx, rows)
		return err
	})
	w.auditKnown = err == nil
	w.auditLast += int64(len(entries))
	return err
}

// ListAudit implements db.Audit.
func (s *Store) ListAudit(ctx context.Context, f cluster.AuditFilter, below int64, limit int) ([]cluster.AuditEntry, error) {
	if limit < 1 {
		return nil, fmt.Errorf("%w: limit %d", cluster.ErrInvalid, limit)
	}
	filter := bson.M{}
	for name, value := range map[string]string{
		"user_id": string(f.UserID), "action": f.Action, "target": f.Target, "outcome": string(f.Outcome),
	} {
		if value != "" {
			filter[name] = value
		}
	}
	time := bson.M{}
	if !f.Since.IsZero() {
		time["$gte"] = document.Nanos(f.Since)
	}
	if !f.Until.IsZero() {
		time["$lt"] = document.Nanos(f.Until)
	}
	if len(time) > 0 {
		filter["time"] = time
	}
	if below > 0 {
		filter["_id"] = bson.M{"$lt": below}
	}
	rows, err := findAll[auditRow](ctx, s, s.in.audit, filter, options.Find().SetSort(order("-_id")).SetLimit(int64(limit)))
	if err != nil {
		return nil, err
	}
	return decodeAll(rows, (*auditRow).entry)
}
