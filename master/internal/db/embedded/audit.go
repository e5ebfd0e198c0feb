package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// AppendAudit implements db.Audit; all of the entries or none.
func (s *Store) AppendAudit(ctx context.Context, entries []cluster.AuditEntry) error {
	rows := make(auditAppend, len(entries))
	for i := range entries {
		var err error
		if rows[i], err = document.EncodeAudit(&entries[i]); err != nil {
			return err
		}
	}
	return s.queue.Change(ctx, rows)
}

// auditAppend adds rows after the last one.
type auditAppend []document.AuditRow

func (c auditAppend) apply(s *session) (answer, failure error) {
	last, err := lastAudit(s)
	if err != nil {
		return nil, err
	}
	for i := range c {
		if err := putAudit(s, c[i].At(last+int64(i)+1)); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// lastAudit is the Seq of the last entry; 0: there is none.
func lastAudit(s *session) (last int64, err error) {
	err = s.queryRow(`SELECT coalesce(max(seq), 0) FROM audit`, nil, &last)
	return last, err
}

func putAudit(s *session, r document.AuditRow) error {
	_, err := s.exec(
		`INSERT INTO audit (`+auditColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		r.Seq, r.Time, r.UserID, r.Action, r.Target, r.Outcome, r.Sum, r.Doc)
	return err
}

// auditLoad puts a row in its own place, which must be behind all others.
type auditLoad document.AuditRow

func (c auditLoad) apply(s *session) (answer, failure error) {
	last, err := lastAudit(s)
	if err != nil {
		return nil, err
	}
	if c.Seq <= last {
		return fmt.Errorf("%w: audit entry %d after %d", db.ErrVersion, c.Seq, last), nil
	}
	return nil, putAudit(s, document.AuditRow(c))
}

// AgedAudit implements db.Audit.
func (s *Store) AgedAudit(ctx context.Context, before time.Time) (first, last int64, err error) {
	const query = `SELECT coalesce((SELECT min(seq) FROM audit), 0),
coalesce((SELECT seq - 1 FROM audit WHERE time >= ? ORDER BY seq LIMIT 1), (SELECT max(seq) FROM audit), 0)`
	err = s.query(ctx, query, []any{document.Nanos(before)}, func(rows *sql.Rows) error { return rows.Scan(&first, &last) })
	if err != nil || last < first {
		return 0, 0, err
	}
	return first, last, nil
}

// auditRemoval removes the first rows up to a Seq.
type auditRemoval struct {
	last    int64
	limit   int
	removed int64
}

func (c *auditRemoval) apply(s *session) (answer, failure error) {
	var named int64
	err := s.queryRow(`SELECT coalesce((SELECT CAST(target AS INTEGER) FROM audit WHERE action = ? ORDER BY seq DESC LIMIT 1), 0)`,
		[]any{db.AuditPruned}, &named)
	if err != nil {
		return nil, err
	}
	if named < c.last {
		return fmt.Errorf("%w: no entry says that those up to %d go", cluster.ErrInvalid, c.last), nil
	}
	c.removed, err = s.exec(`DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE seq <= ? ORDER BY seq LIMIT ?)`, c.last, c.limit)
	return nil, err
}

// RemoveAudit implements db.Audit.
func (s *Store) RemoveAudit(ctx context.Context, last int64, limit int) (int, error) {
	if limit < 1 {
		return 0, fmt.Errorf("%w: limit %d", cluster.ErrInvalid, limit)
	}
	c := &auditRemoval{last: last, limit: limit}
	if err := s.queue.Change(ctx, c); err != nil {
		return 0, err
	}
	return int(c.removed), nil
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
