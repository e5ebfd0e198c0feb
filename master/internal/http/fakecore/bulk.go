package fakecore

import (
	"context"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

// SubmitBatch takes those tasks that are right. It keeps no replies.
func (c *Core) SubmitBatch(ctx context.Context, p cluster.Principal, entries []coordinator.BatchEntry, atomic bool,
	_ coordinator.Named[[]coordinator.BatchItem],
) (items []coordinator.BatchItem, kept []byte, err error) {
	items = make([]coordinator.BatchItem, len(entries))
	for i, entry := range entries {
		items[i].Faults = entry.Faults
		if len(entry.Faults) == 0 {
			_, err := entry.Request.Spec()
			items[i].Faults = cluster.FaultsOf(err)
		}
		if len(items[i].Faults) > 0 && atomic {
			return nil, nil, &cluster.InvalidError{Fields: items[i].Faults}
		}
	}
	for i, entry := range entries {
		if len(items[i].Faults) > 0 {
			continue
		}
		created, err := c.Submit(ctx, p, entry.Request, coordinator.Once{})
		if err != nil {
			return nil, nil, err
		}
		items[i].ID = created.ID
	}
	return items, nil, nil
}

// CancelTasks cancels those tasks that the filter takes. It keeps no replies.
func (c *Core) CancelTasks(ctx context.Context, p cluster.Principal, r coordinator.CancelRequest,
	_ coordinator.Named[coordinator.CancelReport],
) (report coordinator.CancelReport, kept []byte, err error) {
	views, _, err := c.Tasks(ctx, p, r.Filter, cluster.Page{Limit: 1000})
	if err != nil {
		return report, nil, err
	}
	for _, v := range views {
		if v.Terminal() {
			continue
		}
		report.Matched++
		if r.Dry {
			continue
		}
		now, err := c.Cancel(ctx, p, v.ID)
		if err != nil {
			return report, nil, err
		}
		if now.Terminal() {
			report.Cancelled++
		} else {
			report.Requested++
		}
	}
	return report, nil, nil
}
