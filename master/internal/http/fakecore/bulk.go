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
	var all cluster.InvalidError
	wrong := 0
	for i, entry := range entries {
		if items[i].Faults = entry.Faults; len(entry.Faults) == 0 {
			_, err := entry.Request.Spec()
			items[i].Faults = cluster.FaultsOf(err)
		}
		for _, f := range items[i].Faults {
			all.Fields = append(all.Fields, cluster.FieldError{Location: coordinator.InBatch(i, f.Location), Message: f.Message})
		}
		if len(items[i].Faults) > 0 {
			wrong++
		}
	}
	switch {
	case len(entries) == 0:
		return nil, nil, cluster.Invalid("tasks", "must be 1 to 10000 tasks")
	case wrong == len(entries) || wrong > 0 && atomic:
		return nil, nil, &all
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
