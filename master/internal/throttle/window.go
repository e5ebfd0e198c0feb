// Package throttle counts tries by key over a sliding time, in bounded memory.
// It knows neither what is tried nor by whom, and has no clock of its own.
package throttle

import (
	"container/list"
	"sync"
	"time"
)

// Window lets each key try so often within so long. What was tried longest ago
// is forgotten first, when there are too many keys. Its methods are safe for
// concurrent use.
type Window struct {
	most int
	over time.Duration
	keys int

	mu  sync.Mutex
	all map[string]*list.Element
	age *list.List // of *tries, the longest untouched first
}

// tries are those of one key that are not over yet, oldest first.
type tries struct {
	key string
	at  []time.Time
}

// New lets a key try most times within the time, and knows that many keys.
func New(most int, over time.Duration, keys int) *Window {
	return &Window{most: most, over: over, keys: keys, all: map[string]*list.Element{}, age: list.New()}
}

// Take counts a try. When the key has none left nothing is counted, and wait is
// how long until it has one; otherwise it is zero.
func (w *Window) Take(key string, now time.Time) (wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forgetOld(now)
	e := w.all[key]
	if e == nil {
		if len(w.all) >= w.keys {
			w.remove(w.age.Front())
		}
		e = w.age.PushBack(&tries{key: key})
		w.all[key] = e
	}
	t := e.Value.(*tries)
	t.drop(now.Add(-w.over))
	if len(t.at) >= w.most {
		return t.at[0].Add(w.over).Sub(now)
	}
	t.at = append(t.at, now)
	w.age.MoveToBack(e)
	return 0
}

// Return takes back the key's last try: it was a good one.
func (w *Window) Return(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.all[key]
	if e == nil {
		return
	}
	t := e.Value.(*tries)
	if len(t.at) <= 1 {
		w.remove(e)
		return
	}
	t.at = t.at[:len(t.at)-1]
}

// Forget gives a key all its tries back.
func (w *Window) Forget(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.all[key]; e != nil {
		w.remove(e)
	}
}

// Len is how many keys are known.
func (w *Window) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all)
}

// forgetOld removes the keys whose last try is over.
func (w *Window) forgetOld(now time.Time) {
	for e := w.age.Front(); e != nil; e = w.age.Front() {
		t := e.Value.(*tries)
		if t.at[len(t.at)-1].After(now.Add(-w.over)) {
			return
		}
		w.remove(e)
	}
}

func (w *Window) remove(e *list.Element) {
	w.age.Remove(e)
	delete(w.all, e.Value.(*tries).key)
}

// drop forgets the tries up to a time.
func (t *tries) drop(until time.Time) {
	n := 0
	for n < len(t.at) && !t.at[n].After(until) {
		n++
	}
	t.at = append(t.at[:0], t.at[n:]...)
}
