package http

import (
	"reflect"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/history"
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
	if !reflect.DeepEqual(got, want) {
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

// What was seen of the whole cluster stands in the same steps: the last look of
// each, the longest wait, and all that ended.
func TestClusterMetricsOfTheWhole(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	four, eight := cluster.Resources{CPU: 4}, cluster.Resources{CPU: 8}
	e := newEdge(t)
	e.history = func() []history.Sample {
		return []history.Sample{
			{Time: at.Add(time.Second), Total: four, Queue: 9, Waited: 90 * time.Second, Ended: history.Ended{Succeeded: 2, Failed: 1}},
			{Time: at.Add(59 * time.Second), Total: eight, Allocated: four, Queue: 3, Waited: time.Second, Ended: history.Ended{Succeeded: 1, Cancelled: 4}},
			{Time: at.Add(time.Minute), Total: eight},
		}
	}
	twoWorkers(e)
	e.core.SetHistory("w1", cluster.Sample{Time: at.Add(5 * time.Second), CPU: 1})
	got := decode[client.ClusterMetrics](t, e.get(t, "/api/cluster/metrics"), 200).Samples
	want := []client.ClusterSample{
		{
			Time: at, Workers: 1, CPU: 1, Total: &client.Resources{CPU: 8}, Allocated: &client.Resources{CPU: 4},
			Queue: &client.QueueStep{Length: 3, Longest: "1m30s"}, Ended: &client.Ended{Succeeded: 3, Failed: 1, Cancelled: 4},
		},
		{
			Time: at.Add(time.Minute), Total: &client.Resources{CPU: 8}, Allocated: &client.Resources{},
			Queue: &client.QueueStep{Longest: "0s"}, Ended: &client.Ended{},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := decode[client.ClusterMetrics](t, e.get(t, "/api/cluster/metrics?since=2026-01-02T03:01:00Z"), 200); len(got.Samples) != 1 {
		t.Errorf("%+v", got)
	}
}
