// Package metrics owns the names of what Prometheus scrapes, and what each one
// means. Labels take few values, and none that a caller chooses: no task, no
// user, no worker. It decides nothing; others tell it what they have done.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cloudai/master/internal/cluster"
)

// Metrics takes measurements. Its methods are safe for concurrent use and do not
// block.
type Metrics struct {
	registry *prometheus.Registry

	submitted  prometheus.Counter
	attempts   prometheus.Counter
	finished   *prometheus.CounterVec   // by status and failure
	scheduling prometheus.Histogram     // from waiting to placed
	stage      *prometheus.HistogramVec // by the state that was reached
	commit     prometheus.Histogram
	refused    prometheus.Counter
	requests   *prometheus.HistogramVec // by method, route and class of the code
	calls      *prometheus.HistogramVec // by method and code
}

// buckets of durations, in seconds.
var (
	quick  = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}
	answer = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	slow   = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200}
)

// New registers all that is told; Watch adds what is asked for.
func New(version, goVersion string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.submitted = counter("tasks_submitted_total", "Tasks accepted since the master's start.")
	m.attempts = counter("task_attempts_total", "Attempts placed on a worker since the master's start.")
	m.finished = prometheus.NewCounterVec(counterOpts("tasks_finished_total",
		"Tasks that ended since the master's start, by status and failure class (none: it did not fail)."), []string{"status", "failure"})
	m.scheduling = prometheus.NewHistogram(histogram("task_scheduling_duration_seconds",
		"From the time a task began to wait to its placement on a worker.", slow))
	m.stage = prometheus.NewHistogramVec(histogram("task_stage_duration_seconds",
		"Time from the state before to this one, within an attempt; collect_output is the container's own running time, all others are added.", slow),
		[]string{"stage"})
	m.commit = prometheus.NewHistogram(histogram("store_commit_duration_seconds", "Time of a durable write to the store.", quick))
	m.refused = counter("store_commit_failures_total", "Writes that the store refused or whose outcome is unknown.")
	m.requests = prometheus.NewHistogramVec(histogram("http_request_duration_seconds",
		"HTTP requests, by method, route and class of the status code; without WebSockets.", answer), []string{"method", "route", "code"})
	m.calls = prometheus.NewHistogramVec(histogram("grpc_request_duration_seconds",
		"Calls by workers, by method and code; of a stream its whole life.", answer), []string{"method", "code"})
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("build_info", "1, with what the master is as labels.")), []string{"version", "go_version"})
	build.WithLabelValues(version, goVersion).Set(1)
	m.registry.MustRegister(m.submitted, m.attempts, m.finished, m.scheduling, m.stage, m.commit, m.refused, m.requests, m.calls, build)
	own := prometheus.WrapRegistererWithPrefix("cloudai_", m.registry)
	own.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.start()
	return m
}

// start gives every series with known labels its zero, so that the first one
// that is counted is an increase.
func (m *Metrics) start() {
	m.finished.WithLabelValues(string(cluster.StatusSucceeded), none)
	m.finished.WithLabelValues(string(cluster.StatusCancelled), none)
	for _, f := range cluster.Failures {
		m.finished.WithLabelValues(string(cluster.StatusFailed), string(f))
	}
	for _, s := range cluster.States[cluster.StateImagePulled.Rank():] {
		m.stage.WithLabelValues(string(s))
	}
}

const namespace = "cloudai"

func opts(name, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: namespace, Name: name, Help: help}
}

func counterOpts(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts(opts(name, help))
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(counterOpts(name, help))
}

func histogram(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}
}

// Handler answers scrapes. How many at a time, its caller decides.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true, ErrorHandling: promhttp.ContinueOnError,
	})
}

// none is the failure of what did not fail.
const none = "none"

// Task takes what a committed change has added to a task's timeline.
func (m *Metrics) Task(t *cluster.Task, fresh int) {
	for i := max(0, len(t.Events)-fresh); i < len(t.Events); i++ {
		e := &t.Events[i]
		switch {
		case e.State == cluster.StateCreated:
			m.submitted.Inc()
		case e.State == cluster.StateAssigned && e.Cause == "dispatch":
			m.attempts.Inc()
			m.scheduling.Observe(max(0, e.Time.Sub(t.QueuedAt).Seconds()))
		case e.State.Rank() > cluster.StateAssigned.Rank() && i > 0:
			m.reached(&t.Events[i-1], e)
		}
	}
	if fresh > 0 && t.Terminal() {
		failure := string(t.Failure)
		if failure == "" {
			failure = none
		}
		m.finished.WithLabelValues(string(t.Status()), failure).Inc()
	}
}

// reached notes how long a state took to be reached: by the worker's clock when
// it saw both, since its reports come in batches.
func (m *Metrics) reached(before, now *cluster.Event) {
	if before.Attempt != now.Attempt || before.State.Rank() >= now.State.Rank() {
		return
	}
	took := now.Time.Sub(before.Time)
	if !before.WorkerTime.IsZero() && !now.WorkerTime.IsZero() {
		took = now.WorkerTime.Sub(before.WorkerTime)
	}
	m.stage.WithLabelValues(string(now.State)).Observe(max(0, took.Seconds()))
}

// methods that have a label of their own; a caller may send any.
var methods = map[string]bool{"GET": true, "HEAD": true, "POST": true, "PUT": true, "PATCH": true, "DELETE": true, "OPTIONS": true}

// HTTP takes a request. The route is one of the program's patterns.
func (m *Metrics) HTTP(method, route string, status int, d time.Duration) {
	if status == http.StatusSwitchingProtocols {
		return
	}
	if !methods[method] {
		method = "other"
	}
	if route == "" {
		route = none
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status/100)+"xx").Observe(d.Seconds())
}

// GRPC takes a call; method and code are the program's own.
func (m *Metrics) GRPC(method, code string, d time.Duration) {
	m.calls.WithLabelValues(method, code).Observe(d.Seconds())
}
