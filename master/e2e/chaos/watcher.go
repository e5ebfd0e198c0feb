package main

import (
	"context"
	"sync"
	"time"

	"cloudai/master/e2e/rig"
)

// watcher notes each start of a container that an engine tells of, over all its
// lives. What an engine did not come to tell before it was killed is not seen.
type watcher struct {
	account *rig.Engine

	mu     sync.Mutex
	now    *rig.Starts
	before []rig.ContainerStart
}

func newWatcher(account *rig.Engine) *watcher {
	return &watcher{account: account, now: account.Starts(context.Background())}
}

// again goes on after a start of the engine.
func (w *watcher) again() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.now.Broken():
	default:
		return // it is the engine that was watched all the time
	}
	w.before = append(w.before, w.now.Seen()...)
	// A new engine knows nothing of what the old one did.
	w.now = w.account.StartsSince(context.Background(), time.Now().Add(-time.Minute))
}

// seen is every start so far.
func (w *watcher) seen() []rig.ContainerStart {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append(w.before[:len(w.before):len(w.before)], w.now.Seen()...)
}

func (w *watcher) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now.Stop()
}
