package db

import (
	"context"
	"time"

	"cloudai/master/internal/cluster"
)

// AuditPruned is the Action of the entry that says which entries are removed: all
// up to the Seq that is its Target.
const AuditPruned = "pruneAudit"

// Audit keeps who did what. Entries are added, by themselves or with the write of
// a task that they tell of (Write.Audit); the store gives each its Seq, the one
// that it has in what is given is not looked at. Nothing changes an entry, and
// only age removes it: from the first on, and after an entry that says so.
type Audit interface {
	// AppendAudit adds entries, durably and in the order given. After an error
	// some of the first may be stored; of ErrVersion, which is for a store that
	// somebody else has written to, the same is known.
	AppendAudit(ctx context.Context, entries []cluster.AuditEntry) error
	// ListAudit gives up to limit entries whose Seq is below a number (0: any),
	// the latest first. A limit below 1 is cluster.ErrInvalid.
	ListAudit(ctx context.Context, filter cluster.AuditFilter, below int64, limit int) ([]cluster.AuditEntry, error)
	// AgedAudit gives the first and the last Seq of the entries at the log's
	// beginning that are all older than a time; zeros when there are none.
	AgedAudit(ctx context.Context, before time.Time) (first, last int64, err error)
	// RemoveAudit removes entries up to a Seq, the first ones first and at most
	// limit, and gives how many. The latest entry with AuditPruned must come after
	// them and name this Seq or a later one: cluster.ErrInvalid, as for a limit below 1.
	RemoveAudit(ctx context.Context, last int64, limit int) (int, error)
}
