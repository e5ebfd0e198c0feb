package coordinator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
)

// rival is another process than the one that wants to register under a worker's
// id, by its session or certificate; it may still live.
type rival struct {
	Target
	left bool // it has announced its stop
}

// mustProbe reports whether there is a rival, and where to ask.
func (m *machine) mustProbe(r Registration) (rival, bool) {
	w := m.workers[r.WorkerID]
	if w == nil || w.isSame(r) || w.worker.Lost {
		return rival{}, false
	}
	return rival{Target: w.target(), left: !w.worker.LeftUntil.IsZero()}, true
}

// isSame reports whether the registration is of the process that is registered:
// a process has one session and one certificate for all its life.
func (w *worker) isSame(r Registration) bool {
	return w.worker.Session == r.Session && w.worker.Fingerprint == r.Fingerprint
}

// barred reports whether an administrator has removed the worker.
func (m *machine) barred(id cluster.WorkerID) bool {
	w := m.workers[id]
	return w != nil && w.removed()
}

// claim judges the old process's address answering a probe: nil lets the new
// one take over. Whoever answers there with another certificate has the address
// now, so the old process does not: the newcomer itself when its data folder was
// lost, or another worker that has got the port.
func claim(r Registration, old rival, h Hello, err error) error {
	switch {
	case errors.Is(err, cluster.ErrConnRefused), errors.Is(err, cluster.ErrOtherCertificate):
		return nil
	case err != nil && old.left:
		return nil // silent, as it has said it would be
	case err != nil:
		return fmt.Errorf("%w: the last session of worker %s at %s is silent; ask again until it answers or its deadline passes", cluster.ErrUnavailable, r.WorkerID, old.Address)
	case h.WorkerID != r.WorkerID || h.Session != old.Session:
		return nil
	}
	return fmt.Errorf("%w: %s lives at %s; give this worker another WORKER_ID", cluster.ErrClone, r.WorkerID, old.Address)
}

// register makes the worker's session the present one and says which of the
// attempts that it found go on.
func (m *machine) register(now time.Time, r Registration) (reply RegisterReply, st step) {
	w := m.workers[r.WorkerID]
	if w == nil {
		w = newWorker(cluster.Worker{ID: r.WorkerID, RegisteredAt: now})
		m.addWorker(w)
	}
	fresh := !w.isSame(r)
	// Another certificate is another data folder: what this process does not
	// have proves nothing about the one before.
	strange := w.worker.Fingerprint != r.Fingerprint
	w.worker.Session, w.worker.Address, w.worker.Fingerprint = r.Session, r.Address, r.Fingerprint
	w.worker.Version, w.worker.Labels, w.worker.Total = r.Version, r.Labels, r.Total
	w.worker.Lost, w.worker.LeftUntil, w.unknown = false, time.Time{}, false
	if fresh {
		w.number, w.restUntil = 0, time.Time{}
		clear(w.refused)
		w.reachable, w.reason = false, "has not been called back yet"
	}
	w.heard, w.deadline, w.stale = now, now.Add(m.HeartbeatTimeout), true
	m.arm(w.deadline)
	w.unsaved = true
	st.workers = []cluster.WorkerID{w.worker.ID}
	st.events = []Event{workerEvent(w)}
	reply.HeartbeatInterval = m.HeartbeatInterval
	st.join(m.reconcile(now, w, r, fresh, strange, &reply))
	if !w.reachable {
		w.probing, w.probeAt = true, time.Time{}
		st.hellos = []Target{w.target()}
	}
	st.wake = true
	return reply, st
}

// reconcile compares what a registering worker found with what is placed on
// it.
func (m *machine) reconcile(now time.Time, w *worker, r Registration, fresh, strange bool, reply *RegisterReply) (st step) {
	found := map[cluster.AttemptRef]bool{}
	clear(w.foreign)
	w.shown = map[cluster.AttemptRef]bool{}
	for _, a := range r.Running {
		w.shown[a.Ref] = true
		e := m.tasks[a.Ref.TaskID]
		if e == nil || !e.live(a.Ref) || e.task.WorkerID != w.worker.ID {
			reply.Stop = append(reply.Stop, a.Ref)
			w.foreign[a.Ref] = a.Allocated
			continue
		}
		found[a.Ref] = true
		reply.Keep = append(reply.Keep, a.Ref)
		e.accepted, e.began = true, e.began || a.HasContainer
		if fresh {
			e.following = false // at the old address
		}
		if a.State.Rank() >= cluster.StateRunning.Rank() {
			st.join(m.follow(e, w))
		}
	}
	if !fresh {
		return st
	}
	clear(w.doubtful) // an assignment to another session is refused
	for _, id := range sortedKeys(w.attempts) {
		e := m.tasks[id]
		if e == nil || !e.task.State.Placed() || found[e.task.Ref()] {
			continue
		}
		e.sent = false
		l := vanished(e)
		if strange {
			l = m.replaced(e)
		}
		st.join(m.lose(now, e, l))
	}
	return st
}

// Register admits a worker whose join secret the edge has checked.
// cluster.ErrClone, cluster.ErrUnavailable: see claim; cluster.ErrVersion: see
// cluster.CheckVersions.
func (c *Coordinator) Register(ctx context.Context, r Registration) (RegisterReply, error) {
	if err := validRegistration(r); err != nil {
		return RegisterReply{}, err
	}
	if err := cluster.CheckVersions(c.m.Version, r.Version); err != nil {
		return RegisterReply{}, err
	}
	c.mu.Lock()
	old, ask := c.m.mustProbe(r)
	barred := c.m.barred(r.WorkerID)
	c.mu.Unlock()
	if barred {
		return c.expel(ctx, r)
	}
	if ask {
		probe, cancel := context.WithTimeout(ctx, probeTimeout)
		h, err := c.client.Hello(probe, old.Target)
		cancel()
		if err := claim(r, old, h, err); err != nil {
			return RegisterReply{}, err
		}
	}
	var reply RegisterReply
	st, err := c.try(func(now time.Time) (st step, err error) {
		if ctx.Err() != nil {
			// Its process has perhaps died and another is about to register: what
			// this one does not list may be running by then.
			return st, fmt.Errorf("%w: the worker has hung up", cluster.ErrUnavailable)
		}
		if other, again := c.m.mustProbe(r); again && other != old {
			return st, fmt.Errorf("%w: another session registered meanwhile", cluster.ErrUnavailable)
		}
		if c.m.barred(r.WorkerID) {
			return st, fmt.Errorf("%w: the worker was removed meanwhile", cluster.ErrUnavailable)
		}
		reply, st = c.m.register(now, r)
		return st, nil
	})
	if err != nil {
		return reply, err
	}
	return reply, c.carryOut(ctx, st)
}

// expel answers a removed worker.
func (c *Coordinator) expel(ctx context.Context, r Registration) (reply RegisterReply, err error) {
	st, err := c.try(func(time.Time) (st step, err error) {
		reply, st, err = c.m.expel(r)
		return st, err
	})
	if err != nil {
		return reply, err
	}
	return reply, c.carryOut(ctx, st)
}

func validRegistration(r Registration) error {
	var bad cluster.InvalidError
	check := func(ok bool, field, message string) {
		if !ok {
			bad.Fields = append(bad.Fields, cluster.FieldError{Location: field, Message: message})
		}
	}
	check(cluster.ValidName(string(r.WorkerID)), "worker_id", "must be 1 to 128 letters, digits, '.', '_' or '-'")
	check(r.Session != "" && len(r.Session) <= 128, "session", "must have 1 to 128 bytes")
	check(cluster.ValidAddress(r.Address), "worker_ip", "must be a host name or address, and worker_port a port")
	check(r.Total.CPU >= 0 && r.Total.CPU <= 1e6, "total_cpu", "must be between 0 and 1000000 cores")
	check(r.Total.Memory >= 0 && r.Total.Memory <= cluster.MaxMiB, "total_memory", "must be between 0 and 2^40 MiB")
	check(r.Total.Storage >= 0 && r.Total.Storage <= cluster.MaxMiB, "total_storage", "must be between 0 and 2^40 MiB")
	check(r.Total.GPU >= 0 && r.Total.GPU <= cluster.MaxGPU, "total_gpu", "must be between 0 and 4096 devices")
	check(len(r.Version) <= cluster.MaxName, "version", "must have at most 256 bytes")
	check(len(r.Labels) <= cluster.MaxLabels, "labels", "must be at most 128")
	for name, value := range r.Labels {
		check(len(name) <= cluster.MaxName && len(value) <= cluster.MaxName, "labels", "must have at most 256 bytes each")
	}
	if len(bad.Fields) > 0 {
		return &bad
	}
	return nil
}
