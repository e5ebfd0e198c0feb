package coordinator

import (
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/telemetry"
)

// worker is a registered worker with what only memory knows about it.
type worker struct {
	worker cluster.Worker // as persisted
	saving
	beating
	calling
	places
	stale bool // its offer must be derived anew
}

// saving is what of a worker is on the disk, and what is not yet.
type saving struct {
	unsaved bool   // the store has not taken the present value
	stored  string // the session that the store has
	barring bool   // its bar is being written
	unknown bool   // the store had tasks on it and not the worker itself
}

// beating is what a worker's heartbeats say, and when the next is due.
type beating struct {
	deadline time.Time // lost when it passes
	heard    time.Time // the last heartbeat
	number   uint64    // of it
	healthy  bool      // its engine answers
	illness  string    // why it is not healthy
	use      *cluster.Sample
	history  *telemetry.Recent[cluster.Sample]
}

// calling is how calls to a worker go.
type calling struct {
	reachable bool                    // the last one succeeded
	reason    string                  // why it is not reachable
	probing   bool                    // a Hello is on its way
	probeAt   time.Time               // the next Hello; zero: none is due
	probeWait time.Duration           // before the one after that
	restUntil time.Time               // it refused; nothing new before then
	refused   map[cluster.TaskID]bool // what it refused since it last accepted something
}

// places is what takes room on a worker, or may.
type places struct {
	attempts map[cluster.TaskID]cluster.Resources     // reserved, by placed task
	shown    map[cluster.AttemptRef]bool              // by its last word; nil: it has said nothing
	foreign  map[cluster.AttemptRef]cluster.Resources // of them, no attempt of ours
	doubtful map[cluster.AttemptRef]cluster.Resources // given up, and it has not said what became of them
	recent   map[cluster.AttemptRef]time.Time         // whose results were taken lately
}

func newWorker(w cluster.Worker) *worker {
	return &worker{
		worker:  w,
		beating: beating{healthy: true, history: telemetry.NewRecent[cluster.Sample](historySize)},
		calling: calling{refused: map[cluster.TaskID]bool{}},
		places: places{
			attempts: map[cluster.TaskID]cluster.Resources{},
			foreign:  map[cluster.AttemptRef]cluster.Resources{},
			doubtful: map[cluster.AttemptRef]cluster.Resources{},
			recent:   map[cluster.AttemptRef]time.Time{},
		},
		stale: true,
	}
}

// Bounds of what is kept of measurements: an hour of heartbeats of a worker,
// and a picture of an attempt's whole time.
const (
	historySize = 720
	usageSize   = 240
)

// gone reports whether the worker's attempts are over: it is lost, and not one
// that a start of the master found so and that may still return.
func (w *worker) gone() bool { return w.removed() || w.worker.Lost && w.deadline.IsZero() }

func (w *worker) target() Target {
	return Target{WorkerID: w.worker.ID, Session: w.worker.Session, Address: w.worker.Address, Fingerprint: w.worker.Fingerprint}
}

// allocated is derived from what is reserved, never counted up and down.
func (w *worker) allocated() cluster.Resources {
	var sum cluster.Resources
	var micro int64 // whole numbers add up alike in every order
	add := func(r cluster.Resources) {
		micro += int64(r.CPU*1e6 + 0.5)
		sum.Memory, sum.Storage, sum.GPU = sum.Memory+r.Memory, sum.Storage+r.Storage, sum.GPU+r.GPU
	}
	for _, r := range w.attempts {
		add(r)
	}
	for _, r := range w.foreign {
		add(r)
	}
	for _, r := range w.doubtful {
		add(r)
	}
	sum.CPU = float64(micro) / 1e6
	return sum
}

// status is what people see, with the reason when it is not active.
func (w *worker) status() (cluster.WorkerStatus, string) {
	switch {
	case w.worker.Lost:
		return cluster.WorkerLost, "no heartbeat within the timeout"
	case !w.worker.LeftUntil.IsZero():
		return cluster.WorkerUnreachable, "was stopped in order; its tasks wait for it"
	case !w.healthy:
		return cluster.WorkerUnhealthy, w.illness
	case !w.reachable:
		return cluster.WorkerUnreachable, w.reason
	case w.barring:
		return cluster.WorkerDraining, "is being removed"
	case w.worker.Draining:
		return cluster.WorkerDraining, "finishes what it has"
	}
	return cluster.WorkerActive, ""
}

// onDisk reports whether the store knows the worker's session. Before, nothing
// is sent to it: a master that starts with another session on the disk takes this
// process for a new one, and what is still on its way for never begun.
func (w *worker) onDisk() bool { return w.stored == w.worker.Session }

// closed is why it takes nothing now; "" when it does.
func (w *worker) closed() string {
	if status, reason := w.status(); status != cluster.WorkerActive {
		if reason == "" {
			return string(status)
		}
		return string(status) + ": " + reason
	}
	if !w.onDisk() {
		return "its registration is not stored yet"
	}
	if !w.restUntil.IsZero() {
		return "refused the last task and rests for a moment"
	}
	return ""
}
