package agent

import (
	"slices"
	"time"

	"cloudai/worker/internal/executor"
)

// orphans are containers of this worker and cluster that no attempt owns: an
// engine may create one after its client has gone. The master is told, and
// says when they may go.
type orphans struct {
	found   map[Ref]*orphan
	listing bool
	listAt  time.Time // not before
	// gone are the attempts that ended while the engine made its list, which
	// may still show their containers.
	gone map[Ref]struct{}
}

type orphan struct {
	container executor.Container
	removing  bool
}

func newOrphans() orphans {
	return orphans{found: make(map[Ref]*orphan), gone: make(map[Ref]struct{})}
}

func (o *orphans) forgotten(ref Ref) {
	if o.listing {
		o.gone[ref] = struct{}{}
	}
}

func (o *orphans) sorted() []Ref {
	refs := make([]Ref, 0, len(o.found))
	for ref := range o.found {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, Ref.Compare)
	return refs
}

func (o *orphans) running() []Running {
	var set []Running
	for _, ref := range o.sorted() {
		c := o.found[ref].container
		a := attempt{ref: ref, spec: c.Spec, box: box{id: c.ID}}
		r := a.running()
		if c.Phase != executor.PhaseCreated {
			r.State = StateRunning
		}
		set = append(set, r)
	}
	return set
}

// list asks the engine for its containers, at most once per heartbeat
// interval.
func (m *Machine) list(now time.Time) {
	if m.orphans.listing || !m.engine.up || now.Before(m.orphans.listAt) {
		return
	}
	m.orphans.listing = true
	m.orphans.listAt = now.Add(m.link.interval)
	m.do(ListContainers{})
}

// Listed brings the containers that carry this worker's id.
func (m *Machine) Listed(now time.Time, containers []executor.Container, err error) []Action {
	o := &m.orphans
	o.listing = false
	gone := o.gone
	o.gone = make(map[Ref]struct{})
	if err != nil {
		if isEngine(err) {
			m.engineDown(now, err)
		}
		return m.take()
	}
	before := o.found
	o.found = make(map[Ref]*orphan)
	news := false
	for _, c := range containers {
		ref := refOf(c.Spec.Key)
		_, ended := gone[ref]
		if ended || m.attempts[ref] != nil || c.Spec.Key.ClusterID != m.link.clusterID {
			continue
		}
		o.found[ref] = &orphan{container: c}
		if old := before[ref]; old != nil {
			o.found[ref].removing = old.removing
		} else {
			news = true
		}
	}
	m.removeOver()
	if news {
		m.beatSoon(now)
	}
	return m.take()
}

// removeOver removes the orphans of which the master's word is known already:
// their attempts are over, or were said to be absent.
func (m *Machine) removeOver() {
	for _, ref := range m.orphans.sorted() {
		if m.link.refused.has(ref) || m.past.has(ref) {
			m.removeOrphan(ref)
		}
	}
}

func (m *Machine) removeOrphan(ref Ref) {
	o := m.orphans.found[ref]
	if o == nil || o.removing {
		return
	}
	o.removing = true
	grace := time.Duration(0)
	if o.container.Phase == executor.PhaseRunning {
		grace = o.container.Spec.Grace
	}
	m.do(RemoveOrphan{side: side{ref}, ID: o.container.ID, Grace: grace})
}

// OrphanRemoved brings the outcome of a removal. One that failed is tried again
// when the master asks again.
func (m *Machine) OrphanRemoved(now time.Time, ref Ref, err error) []Action {
	o := m.orphans.found[ref]
	switch {
	case o == nil:
	case err == nil:
		delete(m.orphans.found, ref)
		m.orphans.forgotten(ref)
	default:
		o.removing = false
	}
	if isEngine(err) {
		m.engineDown(now, err)
	}
	return m.take()
}
