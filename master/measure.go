package main

import (
	"context"
	"runtime"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/history"
	"cloudai/master/internal/metrics"
)

func newMetrics() *metrics.Metrics { return metrics.New(version, runtime.Version()) }

// watch lets the metrics ask the master's parts.
func (m *master) watch(to *metrics.Metrics) {
	to.Watch(metrics.Source{
		LogBytes: m.logs.Received, UploadBytes: m.files.Received,
		State: func(ctx context.Context) (metrics.State, error) {
			v, err := m.core.Cluster(ctx, cluster.Principal{})
			if err != nil {
				return metrics.State{}, err
			}
			queue := m.core.Queue()
			return metrics.State{
				Tasks: v.Tasks, Queue: queue.Len, Oldest: queue.Oldest, Workers: v.Workers, Total: v.Total, Allocated: v.Allocated,
				Violated: m.core.Invariants().Violations,
			}, nil
		},
	})
}

// observed tells metrics and history of a task's change.
func observed(to *metrics.Metrics, and *history.History) func(coordinator.TaskChange) {
	return func(c coordinator.TaskChange) {
		to.Task(&c.Task, c.Fresh)
		and.Task(&c.Task, c.Fresh)
	}
}

// load is what the history looks at.
func (m *master) load() history.State {
	total, allocated := m.core.Capacity()
	queue := m.core.Queue()
	return history.State{Total: total, Allocated: allocated, Queue: queue.Len, Oldest: queue.Oldest}
}
