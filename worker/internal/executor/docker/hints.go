package docker

import (
	"sync"

	"cloudai/worker/internal/executor"
)

// hints are what this process knows of containers and need not ask. Losing
// them costs a call to the engine, and the making of inputs once more.
type hints struct {
	mu     sync.Mutex
	fresh  map[string]struct{}           // by id: created here, never run
	making map[string]struct{}           // by name: inputs under way
	filled map[string]struct{}           // by id: inputs complete
	killed map[string]struct{}           // by id: stopped by this process
	states map[string]executor.Container // by id: as last listed
}

func newHints() *hints {
	return &hints{
		fresh:  map[string]struct{}{},
		making: map[string]struct{}{},
		filled: map[string]struct{}{},
		killed: map[string]struct{}{},
		states: map[string]executor.Container{},
	}
}

// created notes a container that this process made, complete.
func (h *hints) created(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fresh[id], h.filled[id] = struct{}{}, struct{}{}
}

// refilled notes that a found container has its inputs now.
func (h *hints) refilled(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.filled[id] = struct{}{}
}

// takeFresh says, once, that the container needs no look before its start.
func (h *hints) takeFresh(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.fresh[id]
	delete(h.fresh, id)
	return ok
}

// kill notes that this process ends the container.
func (h *hints) kill(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.killed[id] = struct{}{}
}

// wasKilled says whether this process ended the container.
func (h *hints) wasKilled(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.killed[id]
	return ok
}

// begin marks a name as being made; the returned function ends that.
func (h *hints) begin(name string) func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.making[name] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.making, name)
	}
}

// complete says whether the inputs of a created container are known to be
// there, or on their way.
func (h *hints) complete(name, id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, making := h.making[name]
	_, filled := h.filled[id]
	return making || filled
}

// forget drops all about a removed container.
func (h *hints) forget(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.fresh, id)
	delete(h.filled, id)
	delete(h.killed, id)
	delete(h.states, id)
}

// state returns what was last seen of a container, if it is still so: nothing
// about a running or an exited container changes without its phase.
func (h *hints) state(id string, phase executor.Phase) (executor.Container, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.states[id]
	return c, ok && c.Phase == phase && phase != executor.PhaseCreated
}

// setStates replaces what is known by a new listing.
func (h *hints) setStates(listed []executor.Container) {
	states := make(map[string]executor.Container, len(listed))
	for _, c := range listed {
		states[c.ID] = c
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = states
}
