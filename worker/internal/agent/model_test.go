package agent

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

var seeds = flag.Int("agent.seeds", 400, "random runs of the model")

// model is a world of one machine: a simulated engine, a master that always
// decides sensibly, and actions whose outcomes come in an order that the seed
// decides.
type model struct {
	t              *testing.T
	rng            *rand.Rand
	now            time.Time
	machine        *Machine
	pending        []Action // begun and not answered
	engine         map[string]*modelBox
	engineUp, live bool
	master         map[Ref]*modelTask
	order          []Ref
	absences       []Absence // as they are kept
	downSince      time.Time
	trace          strings.Builder
	session        int
	calm           bool // nothing goes wrong any more
}

// modelBox is a container.
type modelBox struct {
	killed bool // by the engine as it stopped
	c      executor.Container
	stops  bool
}

// modelTask is what the master knows of an attempt.
type modelTask struct {
	spec     executor.Spec
	results  int
	result   Result
	stale    bool
	canceled bool
	disowned bool
	assigned int            // session of the last assignment
	reports  map[int]Result // first report by session
	starts   int
	session  int // that has disowned it
	needed   int // so often the log is asked for
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1e9, 0),
		engine: map[string]*modelBox{}, engineUp: true, master: map[Ref]*modelTask{},
	}
	m.live = m.rng.IntN(3) == 0
	m.restart()
	return m
}

// restart is a new process: it finds the containers.
func (m *model) restart() {
	m.pending = nil
	m.session++
	if !m.downSince.IsZero() && !m.live {
		m.absences = append(m.absences, Absence{From: m.downSince, To: m.now})
	}
	m.downSince = time.Time{}
	m.machine = NewMachine(Params{Seed: m.rng.Uint64(), Interval: 5 * time.Second})
	var found []executor.Container
	for _, id := range m.boxes() {
		found = append(found, m.engine[id].c)
	}
	m.take("found", m.machine.Found(m.now, found, m.absences))
}

func (m *model) boxes() []string {
	ids := make([]string, 0, len(m.engine))
	for id := range m.engine {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// take checks and keeps the actions of an input.
func (m *model) take(what string, actions []Action) {
	fmt.Fprintf(&m.trace, "%s %s", m.now.Format("05.000"), what)
	for _, a := range actions {
		fmt.Fprintf(&m.trace, " %T", a)
		if w, ok := a.(Work); ok {
			for _, p := range m.pending {
				if o, ok := p.(Work); ok && o.Attempt() == w.Attempt() {
					m.fatalf("two works of %v at a time: %T and %T", w.Attempt(), o, w)
				}
			}
		}
		switch x := a.(type) {
		case Interrupt:
			m.interrupt(x.Ref)
		case NoteEngine:
			m.absences, m.downSince = x.Absences, x.DownSince
		case EndLog, Forget:
		default:
			m.pending = append(m.pending, a)
		}
	}
	m.trace.WriteByte('\n')
	if d := m.machine.Deadline(); what == "tick" && !d.IsZero() && !d.After(m.now) {
		m.fatalf("the deadline %v has passed and nothing happens", d)
	}
}

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf(format+"\n%s", append(args, m.trace.String())...)
}

// interrupt ends the attempt's pull, upload or report at once.
func (m *model) interrupt(ref Ref) {
	for i, p := range m.pending {
		w, ok := p.(Work)
		if !ok || w.Attempt() != ref {
			continue
		}
		m.pending = slices.Delete(m.pending, i, i+1)
		retry := Reply{Code: ReplyRetry}
		switch p.(type) {
		case Pull:
			m.take("interrupted", m.machine.Pulled(m.now, ref, context.Canceled))
		case Collect:
			m.take("interrupted", m.machine.Collected(m.now, ref, Collection{}, context.Canceled))
		case Upload:
			m.take("interrupted", m.machine.Uploaded(m.now, ref, UploadReply{Reply: retry}))
		case ReportCompletion:
			m.take("interrupted", m.machine.Reported(m.now, ref, ReportReply{Reply: retry}))
		case PushLog:
			m.take("interrupted", m.machine.LogPushed(m.now, ref, retry, nil))
		default:
			m.fatalf("%T interrupted", p)
		}
		return
	}
}

// chance is true once in n times, and never when all is calm.
func (m *model) chance(n int) bool { return !m.calm && m.rng.IntN(n) == 0 }

// step lets one random thing happen.
func (m *model) step() {
	switch n := m.rng.IntN(20); {
	case n < 13 && len(m.pending) > 0:
		i := m.rng.IntN(len(m.pending))
		action := m.pending[i]
		m.pending = slices.Delete(m.pending, i, i+1)
		m.answer(action)
	case n < 16:
		m.pass()
	case m.calm:
		m.pass()
	case n < 18:
		m.assign()
	case n == 18:
		m.disturb()
	default:
		m.pass()
	}
	for _, ref := range m.order {
		if m.master[ref].results > 1 {
			m.fatalf("%v recorded twice", ref)
		}
	}
}

// pass lets time go by to the next deadline, or a part of it.
func (m *model) pass() {
	step := time.Duration(m.rng.IntN(1500)) * time.Millisecond
	if d := m.machine.Deadline(); !d.IsZero() && m.rng.IntN(3) > 0 {
		step = max(0, d.Sub(m.now))
	}
	m.now = m.now.Add(step)
	for _, id := range m.boxes() {
		if b := m.engine[id]; b.c.Phase == executor.PhaseRunning && (b.stops || m.rng.IntN(4) == 0) && m.engineUp {
			m.exit(b)
		}
	}
	m.take("tick", m.machine.Tick(m.now))
}

func (m *model) exit(b *modelBox) {
	b.c.Phase, b.c.FinishedAt = executor.PhaseExited, m.now
	if m.rng.IntN(3) == 0 {
		b.c.ExitCode = 1
	}
}

func (m *model) assign() {
	n := len(m.order)
	spec := executor.Spec{
		Key:   executor.Key{ClusterID: "c1", TaskID: fmt.Sprintf("t%d", n), Attempt: 1, Lease: "l"},
		Image: "busybox", Grace: time.Second, Storage: 10,
	}
	if n > 0 && m.rng.IntN(3) == 0 {
		// Repeated, perhaps late; the call of a session ends with it.
		if old := m.master[m.order[m.rng.IntN(n)]]; old.assigned == m.session {
			spec = old.spec
		}
	} else if m.rng.IntN(4) == 0 {
		spec.Timeout = 2 * time.Second
	}
	ref := refOf(spec.Key)
	if m.master[ref] == nil && m.rng.IntN(5) == 0 {
		// It does not arrive; perhaps a repeat will.
		m.master[ref] = &modelTask{spec: spec, assigned: m.session, reports: map[int]Result{}}
		m.order = append(m.order, ref)
		m.take("assign lost "+ref.TaskID, nil)
		return
	}
	actions, err := m.machine.Assign(m.now, spec)
	known := m.master[ref]
	switch {
	case err == nil && known == nil:
		m.master[ref] = &modelTask{spec: spec, assigned: m.session, reports: map[int]Result{}}
		m.order = append(m.order, ref)
	case err == nil && known != nil && known.disowned && known.session == m.session && !m.machine.past.has(ref):
		m.fatalf("%v was disowned and is accepted", ref)
	}
	m.take(fmt.Sprintf("assign %v %v", ref.TaskID, err), actions)
}

// disturb is something from outside.
func (m *model) disturb() {
	var ref Ref
	if len(m.order) > 0 {
		ref = m.order[m.rng.IntN(len(m.order))]
	}
	task := m.master[ref]
	switch m.rng.IntN(6) {
	case 0:
		if task != nil {
			actions, err := m.machine.Cancel(m.now, ref, "c1")
			task.canceled = task.canceled || err == nil
			m.take("cancel "+ref.TaskID, actions)
		}
	case 1:
		if task != nil && task.results == 0 {
			task.stale = true // a newer attempt took over
		}
	case 2:
		m.engineOff()
	case 3:
		m.engineUp = m.engineUp || m.noticed()
	case 4:
		if m.rng.IntN(3) == 0 && (m.engineUp || m.noticed()) {
			m.take("restart", nil)
			m.engineUp = true
			m.restart()
		}
	case 5:
		m.take("called", m.machine.MasterCalled(m.now))
	}
}

// noticed reports whether the worker knows that the engine is off. It asks
// every second; no engine starts that fast.
func (m *model) noticed() bool { return !m.machine.EngineUp() }

// engineOff stops the engine and, unless they outlive it, its containers. The
// streams of some of them tell of the end before they break; all others break.
func (m *model) engineOff() {
	if !m.engineUp {
		return
	}
	m.engineUp = false
	m.take("engine off", nil)
	for _, id := range m.boxes() {
		if b := m.engine[id]; !m.live && b.c.Phase == executor.PhaseRunning {
			b.c.Phase, b.c.FinishedAt, b.c.ExitCode, b.killed = executor.PhaseExited, m.now, 0, true
		}
	}
	runs := m.pending
	m.pending = nil
	for _, p := range runs {
		x, ok := p.(RunContainer)
		if !ok {
			m.pending = append(m.pending, p)
			continue
		}
		b := m.engine[x.ID]
		if b != nil && b.killed && m.rng.IntN(2) == 0 {
			m.take("last word", m.machine.Exited(m.now, x.Ref, b.c, executor.Offsets{Stdout: 10}, nil))
			continue
		}
		m.take("stream broken", m.machine.Exited(m.now, x.Ref, executor.Container{}, executor.Offsets{}, errNoEngine))
	}
}

// settled runs the calm world until nothing happens any more.
func (m *model) settled() {
	m.calm = true
	for range 20000 {
		m.engineUp = m.engineUp || m.noticed()
		if m.quiet() {
			return
		}
		m.step()
	}
	m.fatalf("not settled: %d attempts, %d containers", len(m.machine.attempts), len(m.engine))
}

// quiet reports whether every attempt is decided and nothing is left.
func (m *model) quiet() bool {
	if len(m.machine.attempts) > 0 || len(m.machine.orphans.found) > 0 || len(m.engine) > 0 {
		return false
	}
	for _, ref := range m.order {
		if task := m.master[ref]; task.results == 0 && !task.stale && !task.disowned {
			return false
		}
	}
	return true
}

// TestModel lets random things happen in random order, and checks that every
// attempt ends exactly once, with nothing left behind.
func TestModel(t *testing.T) {
	for seed := range *seeds {
		m := newModel(t, uint64(seed))
		for range 400 {
			m.step()
		}
		m.settled()
		m.check(seed)
	}
}

func (m *model) check(seed int) {
	for _, ref := range m.order {
		task := m.master[ref]
		lost := task.stale || task.disowned
		if task.results == 0 && !lost {
			m.fatalf("seed %d: %v has no result", seed, ref)
		}
		if task.results == 0 || lost {
			continue
		}
		if r := task.result; r.Status == StatusSucceeded && len(r.States) != 6 {
			m.fatalf("seed %d: %v succeeded with %v", seed, ref, r.States)
		}
	}
}

// TestModelRepeats runs a seed twice: nothing hangs on the order of a map.
func TestModelRepeats(t *testing.T) {
	for seed := range uint64(20) {
		var traces [2]string
		for i := range traces {
			m := newModel(t, seed)
			for range 400 {
				m.step()
			}
			traces[i] = m.trace.String()
		}
		if traces[0] != traces[1] {
			t.Fatalf("seed %d went two ways:\n%s\n---\n%s", seed, traces[0], traces[1])
		}
	}
}

var errNoEngine = fmt.Errorf("%w: off", executor.ErrEngine)

var errNetwork = errors.New("network")
