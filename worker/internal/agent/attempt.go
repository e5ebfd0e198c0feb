package agent

import (
	"slices"
	"time"

	"cloudai/worker/internal/executor"
)

// phase is what an attempt does now, or waits to do.
type phase uint8

const (
	phaseHeld    phase = iota // found at the start: the master decides
	phasePull                 // the image
	phaseCreate               // the container
	phaseRun                  // until its end
	phaseConfirm              // it ended; has the engine outlived it?
	phaseCollect              // list the output
	phaseUpload               // send the output
	phaseReport               // until the master has answered
	phasePushLog              // send what the master lacks of the log
	phaseRemove               // the container and the output folder
)

// attempt is all the machine knows of one attempt.
type attempt struct {
	ref    Ref
	order  uint64 // of acceptance
	spec   executor.Spec
	phase  phase
	busy   bool // its work is under way
	orders orders
	retry  retry
	pull   pulling
	box    box
	end    ending
	news   news
	alarm  alarm
}

// orders are what others want of the attempt. None is taken back.
type orders struct {
	cancel  bool // by a person
	discard bool // the master does not want it any more: no result
	leave   bool // the worker goes away with its tasks
	// interrupted says that the work under way has been told.
	interrupted bool
}

// halt reports whether the attempt is to end before its time.
func (o orders) halt() bool { return o.cancel || o.discard || o.leave }

// retry is when the attempt's work may be tried again.
type retry struct {
	at     time.Time
	tries  int
	engine bool // and not before the engine answers
}

// pulling is how the image is coming along.
type pulling struct {
	tries   int
	since   time.Time // of the first try
	giveUp  time.Time // of this try, while nothing moves
	stalled bool      // this try was given up
}

// box is the attempt's container.
type box struct {
	id        string
	running   bool      // as far as is known
	ran       bool      // it was started once
	doubt     bool      // it may have been: the engine went away meanwhile
	toldAt    time.Time // when the engine was first told to start it, perhaps by an earlier process; zero: never
	spared    int       // so many of the engine's absences were over by then, or by when it was found running
	retold    bool      // it is told so again: an earlier call may yet be carried out
	forgotten bool      // it was told so before it went down, and may know nothing of it
	startedAt time.Time // engine's clock
	deadline  time.Time // for the timeout; zero: none
	overdue   bool      // the deadline has passed
	full      bool      // the output is over its limit
	crowded   bool      // the limit is that of the number of files
	stop      retrying
	sample    sampling
	// confirmAfter is the number of the newest probe begun before the end was
	// seen: a later one that is answered confirms it.
	confirmAfter uint64
}

// retrying is something that is done now and then, not before a time.
type retrying struct {
	busy bool // it is under way
	at   time.Time
}

// sampling is when a running container is measured.
type sampling struct {
	retrying
	pause time.Duration // before the one after the next
	taken time.Time     // when the last one came
}

// ending is how the attempt went, as far as is known.
type ending struct {
	exit     *executor.Container // nil while it runs, and when no container ran
	failure  Failure             // what stands in the place of an exit code
	message  string
	hopeless bool             // another attempt would end alike
	log      executor.Offsets // lengths
	missing  missing
	output   Collection
	upload   string // why the output is not complete
	result   *Result
	acked    bool
}

// missing is what the master lacks of the log.
type missing struct {
	from  executor.Offsets // what it asked for last
	asked int              // so many times in a row
	lost  bool             // it cannot be produced any more
}

// news is what there is to report before the end.
type news struct {
	states []StateTime
	sent   int       // so many of them are known to the master
	since  time.Time // when the first unsent one was entered
	report retrying
	tries  int
	bytes  bytes
	note   string // what is going on, in words
	used   bool   // there is a new sample
	usage  Usage
}

// bytes are how far a transfer is.
type bytes struct {
	done, total int64
	fresh       bool      // the master does not know
	at          time.Time // when they were reported last
}

func (a *attempt) state() State {
	if n := len(a.news.states); n > 0 {
		return a.news.states[n-1].State
	}
	return StateAssigned
}

// enter notes the next state. One that was entered before is no news.
func (a *attempt) enter(s State, at time.Time, now time.Time) {
	if s <= a.state() {
		return
	}
	if a.news.sent == len(a.news.states) {
		a.news.since = now
	}
	a.news.states = append(a.news.states, StateTime{State: s, Time: at})
}

// statesSoFar may be kept by others: what is appended later goes elsewhere.
func (a *attempt) statesSoFar() []StateTime { return slices.Clip(a.news.states) }

func (a *attempt) running() Running {
	return Running{
		Ref:          a.ref,
		ClusterID:    a.spec.Key.ClusterID,
		State:        a.state(),
		CPU:          a.spec.CPU,
		Memory:       a.spec.Memory,
		Storage:      a.spec.Storage,
		GPU:          a.spec.GPU,
		HasContainer: a.box.id != "",
	}
}

// wantsStop reports whether a running container is to be stopped.
func (a *attempt) wantsStop() bool {
	return a.orders.halt() || a.box.overdue || a.box.full
}

// beforeRun reports whether the attempt can end without a container's end.
func (a *attempt) beforeRun() bool {
	return a.phase == phasePull || a.phase == phaseCreate || a.phase == phaseRun && !a.box.ran && !a.box.doubt
}

// interruptible reports whether the work under way should be given up.
func (a *attempt) interruptible() bool {
	switch a.phase {
	case phasePull:
		return a.orders.halt() || a.pull.stalled
	case phaseCollect, phaseUpload, phaseReport, phasePushLog:
		return a.orders.discard
	case phaseHeld, phaseCreate, phaseRun, phaseConfirm, phaseRemove:
		// Creating takes moments and must not leave a container unseen; a
		// running one is stopped, which ends the work.
		return false
	}
	return false
}
