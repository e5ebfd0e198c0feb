package embedded

import (
	"context"
	"database/sql"
	"fmt"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// AppendAudit implements db.Audit; all of the entries or none.
func (s *Store) AppendAudit(ctx context.Context, entries []cluster.AuditEntry) error {
	c, err := newAuditAppend(entries...)
	if err != nil {
		return err
	}
	return s.queue.Change(ctx, c)
}

// auditAppend adds rows that follow each other and the last one.
type auditAppend []document.AuditRow

func newAuditAppend(entries ...cluster.AuditEntry) (auditAppend, error) {
	rows := make(auditAppend, len(entries))
	for i := range entries {
		var err error
		if rows[i], err = document.EncodeAudit(&entries[i]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (c auditAppend) apply(s *session) (answer, failure error) {
	var last int64
	if err := s.queryRow(`SELECT coalesce(max(seq), 0) FROM audit`, nil, &last); err != nil {
		return nil, err
	}
	for i := range c {
		if want := last + int64(i) + 1; c[i].Seq != want {
			return fmt.Errorf("%w: audit entry %d in the place of %d", db.ErrVersion, c[i].Seq, want), nil
		}
	}
	for _, r := range c {
		_, err := s.exec(
			`INSERT INTO audit (`+auditColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			r.Seq, r.Time, r.UserID, r.Action, r.Target, r.Outcome, r.Sum, r.Doc)
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// ListAudit implements db.Audit.
func (s *Store) ListAudit(ctx context.Context, f cluster.AuditFilter, below int64, limit int) ([]cluster.AuditEntry, error) {
	if limit < 1 {
		return nil, fmt.Errorf("%w: limit %d", cluster.ErrInvalid, limit)
	}
	c := &condition{}
	for _, is := range []struct{ column, value string }{
		{"user_id", string(f.UserID)}, {"action", f.Action}, {"target", f.Target}, {"outcome", string(f.Outcome)},
	} {
		if is.value != "" {
			c.add(is.column+" = ?", is.value)
		}
	}
	if !f.Since.IsZero() {
		c.add("time >= ?", document.Nanos(f.Since))
	}
	if !f.Until.IsZero() {
		c.add("time < ?", document.Nanos(f.Until))
	}
	if below > 0 {
		c.add("seq < ?", below)
	}
	return s.audit(ctx, "WHERE "+c.where("true")+" ORDER BY seq DESC LIMIT "+c.arg(limit), c.args)
}

func (s *Store) audit(ctx context.Context, tail string, args []any) (list []cluster.AuditEntry, err error) {
	err = s.query(ctx, `SELECT `+auditColumns+` FROM audit `+tail, args, func(rows *sql.Rows) error {
		e, err := scanAudit(rows)
		list = append(list, e)
		return err
	})
	return list, err
}

const auditColumns = `seq, time, user_id, action, target, outcome, sum, doc`

func scanAudit(rows *sql.Rows) (cluster.AuditEntry, error) {
	var r document.AuditRow
	var doc sql.RawBytes
	if err := rows.Scan(&r.Seq, &r.Time, &r.UserID, &r.Action, &r.Target, &r.Outcome, &r.Sum, &doc); err != nil {
		return cluster.AuditEntry{}, err
	}
	r.Doc = doc
	return r.Entry()
}
