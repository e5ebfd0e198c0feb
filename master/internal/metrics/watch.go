package metrics

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudai/master/internal/cluster"
)

// State is what is counted when somebody asks.
type State struct {
	Tasks     map[cluster.Status]int // of everyone
	Queue     int
	Oldest    time.Time // since when the longest waiting task waits; zero: none
	Workers   map[cluster.WorkerStatus]int
	Total     cluster.Resources // of workers that are not lost
	Allocated cluster.Resources
	Violated  int // invariants
}

// Source is what Watch asks.
type Source struct {
	State func(context.Context) (State, error)
	// Bytes taken since the start.
	LogBytes, UploadBytes func() int64
}

// Anybody may scrape as often as they like: the state is looked at so often at
// most, and for so long.
const (
	stateAge  = 2 * time.Second
	stateWait = 5 * time.Second
)

// watcher asks for the state when it is scraped.
type watcher struct {
	source Source
	now    func() time.Time

	mu   sync.Mutex
	last State
	at   time.Time

	up, tasks, queue, oldest, workers, violated *prometheus.Desc
	logBytes, uploadBytes                       *prometheus.Desc
	capacity, allocated                         amounts
}

// amounts are of CPU, memory, storage and GPUs.
type amounts [4]*prometheus.Desc

// Watch adds what the source is asked for at each scrape.
func (m *Metrics) Watch(s Source) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	amount := func(name, help string) amounts {
		return amounts{
			desc(name+"_cpu_cores", help+", cores."), desc(name+"_memory_bytes", help+", memory."),
			desc(name+"_storage_bytes", help+", storage."), desc(name+"_gpus", help+", GPUs."),
		}
	}
	m.registry.MustRegister(&watcher{
		capacity:  amount("capacity", "What the workers that are not lost have"),
		allocated: amount("allocated", "What of the capacity is given to tasks"),
		source:    s, now: time.Now,
		up:          desc("store_up", "1 when the store could be asked for this scrape."),
		tasks:       desc("tasks", "Tasks that are kept, by status.", "status"),
		queue:       desc("queue_tasks", "Tasks that wait for a worker."),
		oldest:      desc("queue_oldest_age_seconds", "How long the longest waiting task has waited; 0 when none waits."),
		workers:     desc("workers", "Workers, by status.", "status"),
		violated:    desc("invariant_violations", "Comparisons of store, memory and heartbeats that do not agree; 0 is right."),
		logBytes:    desc("log_received_bytes_total", "Bytes of logs taken since the master's start."),
		uploadBytes: desc("upload_received_bytes_total", "Bytes of output files taken since the master's start."),
	})
}

// Describe implements prometheus.Collector.
func (w *watcher) Describe(ch chan<- *prometheus.Desc) {
	all := []*prometheus.Desc{w.up, w.tasks, w.queue, w.oldest, w.workers, w.violated, w.logBytes, w.uploadBytes}
	for _, d := range slices.Concat(all, w.capacity[:], w.allocated[:]) {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (w *watcher) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ch <- prometheus.MustNewConstMetric(w.logBytes, prometheus.CounterValue, float64(w.source.LogBytes()))
	ch <- prometheus.MustNewConstMetric(w.uploadBytes, prometheus.CounterValue, float64(w.source.UploadBytes()))
	s, err := w.state()
	if err != nil {
		gauge(w.up, 0)
		return // what is not known is absent, never invented
	}
	gauge(w.up, 1)
	for _, status := range cluster.Statuses {
		gauge(w.tasks, float64(s.Tasks[status]), string(status))
	}
	for _, status := range cluster.WorkerStatuses {
		gauge(w.workers, float64(s.Workers[status]), string(status))
	}
	gauge(w.queue, float64(s.Queue))
	age := 0.0
	if !s.Oldest.IsZero() {
		age = max(0, w.now().Sub(s.Oldest).Seconds())
	}
	gauge(w.oldest, age)
	gauge(w.violated, float64(s.Violated))
	for d, r := range map[amounts]cluster.Resources{w.capacity: s.Total, w.allocated: s.Allocated} {
		gauge(d[0], r.CPU)
		gauge(d[1], float64(r.Memory)*(1<<20))
		gauge(d[2], float64(r.Storage)*(1<<20))
		gauge(d[3], float64(r.GPU))
	}
}

// state asks at most once in a while.
func (w *watcher) state() (State, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.at.IsZero() && w.now().Sub(w.at) < stateAge {
		return w.last, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stateWait)
	defer cancel()
	s, err := w.source.State(ctx)
	if err == nil {
		w.last, w.at = s, w.now()
	}
	return s, err
}
