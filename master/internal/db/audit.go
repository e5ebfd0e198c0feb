package db

import (
	"context"

	"cloudai/master/internal/cluster"
)

// Audit keeps who did what. Entries are added; nothing changes or removes one.
type Audit interface {
	// AppendAudit adds entries, durably and in the order given. Their Seq follow
	// each other and the last stored one: ErrVersion when one is taken. After an
	// error some of the first may be stored.
	AppendAudit(ctx context.Context, entries []cluster.AuditEntry) error
	// ListAudit gives up to limit entries whose Seq is below a number (0: any),
	// the latest first. A limit below 1 is cluster.ErrInvalid.
	ListAudit(ctx context.Context, filter cluster.AuditFilter, below int64, limit int) ([]cluster.AuditEntry, error)
}
