package storetest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// AppendAudit implements db.Audit.
func (m *Memory) AppendAudit(ctx context.Context, entries []cluster.AuditEntry) error {
	return m.write(ctx, func(d *memoryData) error {
		for _, e := range entries {
			d.appendAudit(e)
		}
		return nil
	})
}

func (d *memoryData) appendAudit(e cluster.AuditEntry) {
	e.Seq = 1
	if n := len(d.audit); n > 0 {
		e.Seq = d.audit[n-1].Seq + 1
	}
	d.audit = append(d.audit, e)
}

// ListAudit implements db.Audit.
func (m *Memory) ListAudit(ctx context.Context, filter cluster.AuditFilter, below int64, limit int) (list []cluster.AuditEntry, err error) {
	if limit < 1 {
		return nil, fmt.Errorf("%w: limit %d", cluster.ErrInvalid, limit)
	}
	err = m.use(ctx, func(d *memoryData) error {
		for i := len(d.audit) - 1; i >= 0 && len(list) < limit; i-- {
			if e := &d.audit[i]; (below == 0 || e.Seq < below) && filter.Matches(e) {
				list = append(list, *e)
			}
		}
		return nil
	})
	return list, err
}

// AgedAudit implements db.Audit.
func (m *Memory) AgedAudit(ctx context.Context, before time.Time) (first, last int64, err error) {
	err = m.use(ctx, func(d *memoryData) error {
		for _, e := range d.audit {
			if !e.Time.Before(before) {
				break
			}
			first, last = d.audit[0].Seq, e.Seq
		}
		return nil
	})
	return first, last, err
}

// RemoveAudit implements db.Audit.
func (m *Memory) RemoveAudit(ctx context.Context, last int64, limit int) (n int, err error) {
	if limit < 1 {
		return 0, fmt.Errorf("%w: limit %d", cluster.ErrInvalid, limit)
	}
	err = m.write(ctx, func(d *memoryData) error {
		var named int64
		for _, e := range d.audit {
			if e.Action == db.AuditPruned {
				named, _ = strconv.ParseInt(e.Target, 10, 64)
			}
		}
		if named < last {
			return fmt.Errorf("%w: no entry says that those up to %d go", cluster.ErrInvalid, last)
		}
		for n < limit && d.audit[n].Seq <= last { // the entry that says so stays
			n++
		}
		d.audit = slices.Clone(d.audit[n:])
		return nil
	})
	return n, err
}
