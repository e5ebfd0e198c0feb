package storetest

import (
	"context"
	"fmt"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// AppendAudit implements db.Audit.
func (m *Memory) AppendAudit(ctx context.Context, entries []cluster.AuditEntry) error {
	return m.write(ctx, func(d *memoryData) error {
		for i := range entries {
			if want := int64(len(d.audit) + i + 1); entries[i].Seq != want {
				return fmt.Errorf("%w: audit entry %d in the place of %d", db.ErrVersion, entries[i].Seq, want)
			}
		}
		d.audit = append(d.audit, entries...)
		return nil
	})
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
