package mongodb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

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
	// Write is that of the task which the entry came with, if it came with one.
	Write bson.ObjectID `bson:"write,omitempty"`
}

func newAuditRow(e *cluster.AuditEntry) (auditRow, error) {
	r, err := document.EncodeAudit(e)
	return auditRow{
		Seq: r.Seq, Time: r.Time, UserID: r.UserID, Action: r.Action, Target: r.Target, Outcome: r.Outcome, Sum: r.Sum, Doc: string(r.Doc),
	}, err
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
	if len(entries) == 0 {
		return ctx.Err()
	}
	entries = slices.Clone(entries)
	return s.change(ctx, func(ctx context.Context, w *writer) error {
		rows := make([]auditRow, len(entries))
		for i := range entries {
			var err error
			if rows[i], err = newAuditRow(&entries[i]); err != nil {
				return err
			}
		}
		if err := w.knowAudit(ctx); err != nil {
			return err
		}
		return w.insertAudit(rows)
	})
}

// knowAudit looks for the end of the log, unless it is known.
func (w *writer) knowAudit(ctx context.Context) error {
	if err := w.ready(); err != nil || w.auditKnown {
		return err
	}
	rows, err := findAll[auditRow](ctx, w.s, w.s.in.audit, bson.M{},
		options.Find().SetSort(order("-_id")).SetLimit(1).SetProjection(bson.M{"_id": 1}))
	if err != nil {
		return err
	}
	w.auditLast, w.auditKnown = 0, true
	if len(rows) > 0 {
		w.auditLast = rows[0].Seq
	}
	return nil
}

// insertAudit puts rows behind the last one, which is known.
func (w *writer) insertAudit(rows []auditRow) error {
	placed := make([]any, len(rows))
	for i, r := range rows {
		r.Seq = w.auditLast + int64(i) + 1
		r.Sum = document.AuditRow{Doc: []byte(r.Doc)}.At(r.Seq).Sum
		placed[i] = r
	}
	err := w.send(func(ctx context.Context) error {
		_, err := w.s.in.audit.InsertMany(ctx, placed)
		return err
	})
	w.auditKnown = err == nil
	w.auditLast += int64(len(rows))
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

// AgedAudit implements db.Audit.
func (s *Store) AgedAudit(ctx context.Context, before time.Time) (first, last int64, err error) {
	end := func(filter bson.M, by string) (int64, error) {
		rows, err := findAll[auditRow](ctx, s, s.in.audit, filter,
			options.Find().SetSort(order(by)).SetLimit(1).SetProjection(bson.M{"_id": 1}))
		if err != nil || len(rows) == 0 {
			return 0, err
		}
		return rows[0].Seq, nil
	}
	if first, err = end(bson.M{}, "_id"); err != nil || first == 0 {
		return 0, 0, err
	}
	young, err := end(bson.M{"time": bson.M{"$gte": document.Nanos(before)}}, "_id")
	if err == nil && young == 0 {
		young, err = end(bson.M{}, "-_id")
		young++
	}
	if err != nil || young <= first {
		return 0, 0, err
	}
	return first, young - 1, nil
}

// RemoveAudit implements db.Audit. That a removal of unknown outcome comes late
// does no harm: an entry has said that these go.
func (s *Store) RemoveAudit(ctx context.Context, last int64, limit int) (int, error) {
	if limit < 1 {
		return 0, fmt.Errorf("%w: limit %d", cluster.ErrInvalid, limit)
	}
	n := 0
	err := s.change(ctx, func(ctx context.Context, w *writer) error {
		said, err := s.ListAudit(ctx, cluster.AuditFilter{Action: db.AuditPruned}, 0, 1)
		if err != nil {
			return err
		}
		var named int64
		if len(said) > 0 {
			named, _ = strconv.ParseInt(said[0].Target, 10, 64)
		}
		if named < last {
			return fmt.Errorf("%w: no entry says that those up to %d go", cluster.ErrInvalid, last)
		}
		rows, err := findAll[auditRow](ctx, s, s.in.audit, bson.M{"_id": bson.M{"$lte": last}},
			options.Find().SetSort(order("_id")).SetLimit(int64(limit)).SetProjection(bson.M{"_id": 1}))
		if err != nil || len(rows) == 0 {
			return err
		}
		return w.send(func(ctx context.Context) error {
			res, err := s.in.audit.DeleteMany(ctx, bson.M{"_id": bson.M{"$lte": rows[len(rows)-1].Seq}})
			if err == nil {
				n = int(res.DeletedCount)
			}
			return err
		})
	})
	if err != nil {
		return 0, err // who gave up waiting: the writer may be counting still
	}
	return n, nil
}
