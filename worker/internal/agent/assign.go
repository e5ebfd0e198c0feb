package agent

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"cloudai/worker/internal/executor"
)

// Why an assignment or a cancel is refused. All are definite: the attempt has
// not begun here and never will by this call.
var (
	// ErrInvalid: the assignment itself is wrong.
	ErrInvalid = errors.New("invalid assignment")
	// ErrRefused: not by this worker, not now.
	ErrRefused = errors.New("assignment refused")
	// ErrUnknown: the worker has no such attempt.
	ErrUnknown = errors.New("unknown attempt")
)

// validID is what may become part of a folder's name.
var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,100}$`)

func checkRef(ref Ref) error {
	switch {
	case !validID.MatchString(ref.TaskID):
		return fmt.Errorf("%w: task id %q", ErrInvalid, ref.TaskID)
	case !validID.MatchString(ref.Lease):
		return fmt.Errorf("%w: lease %q", ErrInvalid, ref.Lease)
	case ref.Attempt < 1:
		return fmt.Errorf("%w: attempt %d", ErrInvalid, ref.Attempt)
	}
	return nil
}

// Assign accepts an attempt. It is idempotent: one that was accepted before,
// also one that is over by now or whose container is gone, is accepted again
// without effect.
func (m *Machine) Assign(now time.Time, spec executor.Spec) ([]Action, error) {
	ref := refOf(spec.Key)
	if err := checkRef(ref); err != nil {
		return nil, err
	}
	if m.attempts[ref] != nil || m.past.has(ref) || slices.Contains(m.link.gone, ref) {
		return nil, nil
	}
	if err := m.refuse(ref, spec.Key.ClusterID); err != nil {
		// The master places it anew: an older call that comes late must not
		// begin with it all the same.
		m.link.refused.add(ref)
		return nil, err
	}
	a := &attempt{ref: ref, spec: spec, phase: phasePull}
	m.add(a)
	m.settle(now, a)
	return m.take(), nil
}

func (m *Machine) refuse(ref Ref, clusterID string) error {
	if m.link.refused.has(ref) {
		return fmt.Errorf("%w: this attempt was refused, or said to be absent", ErrRefused)
	}
	switch {
	case m.leaving:
		return fmt.Errorf("%w: the worker is shutting down", ErrRefused)
	case m.link.clusterID != "" && clusterID != m.link.clusterID:
		return fmt.Errorf("%w: this worker belongs to cluster %s, not %s", ErrRefused, m.link.clusterID, clusterID)
	case m.engine.trouble() != "":
		return fmt.Errorf("%w: %s", ErrRefused, m.engine.trouble())
	}
	return nil
}

// Cancel stops an attempt; its confirmation is the attempt's completion.
func (m *Machine) Cancel(now time.Time, ref Ref, clusterID string) ([]Action, error) {
	a := m.attempts[ref]
	if a == nil || a.spec.Key.ClusterID != clusterID {
		return nil, ErrUnknown
	}
	m.cancel(now, a)
	return m.take(), nil
}

func (m *Machine) cancel(now time.Time, a *attempt) {
	if a.orders.cancel {
		return
	}
	a.orders.cancel = true
	m.settle(now, a)
}

// discard ends an attempt that the master does not want: no result, and the
// container goes.
func (m *Machine) discard(now time.Time, a *attempt) {
	if a.orders.discard {
		return
	}
	a.orders.discard = true
	a.retry.at = time.Time{}
	m.settle(now, a)
}
