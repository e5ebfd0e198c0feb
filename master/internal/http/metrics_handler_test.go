package http

import (
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

// The cluster's use in a step is the sum of each worker's mean in it.
func TestClusterMetrics(t *testing.T) {
	e := newEdge(t)
	if got := decode[client.ClusterMetrics](t, e.get(t, "/api/cluster/metrics"), 200); got.Step != "1m0s" || got.Samples == nil || len(got.Samples) > 0 {
		t.Errorf("%+v", got)
	}
	twoWorkers(e)
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	e.core.SetHistory("w1", cluster.Sample{Time: at.Add(5 * time.Second), CPU: 1, Memory: 10}, cluster.Sample{Time: at.Add(35 * time.Second), CPU: 3, Memory: 30},
		cluster.Sample{Time: at.Add(65 * time.Second), CPU: 5, Memory: 50})
	e.core.SetHistory("w2", cluster.Sample{Time: at.Add(20 * time.Second), CPU: 0.5, Memory: 1, Storage: 7, GPU: 2})
	got := decode[client.ClusterMetrics](t, e.get(t, "/api/cluster/metrics"), 200).Samples
	want := []client.ClusterSample{
		{Time: at, Workers: 2, CPU: 2.5, Memory: 21, Storage: 7, GPU: 2}, {Time: at.Add(time.Minute), Workers: 1, CPU: 5, Memory: 50},
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := decode[client.ClusterMetrics](t, e.get(t, "/api/cluster/metrics?step=10s"), 200); len(got.Samples) != 4 {
		t.Errorf("%+v", got)
	}
	if got := decode[client.ClusterMetrics](t, e.get(t, "/api/cluster/metrics?since=2026-01-02T03:01:00Z"), 200); len(got.Samples) != 1 {
		t.Errorf("%+v", got)
	}
	wantProblem(t, e.get(t, "/api/cluster/metrics?step=1ms&since=lately"), 422, "step", "since")
}
