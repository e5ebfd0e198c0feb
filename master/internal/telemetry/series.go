// Package telemetry keeps measurements over time, each series within a fixed
// bound. It does not know what is measured, has no clock and no lock: a series
// belongs to whoever owns the thing measured.
package telemetry

import "slices"

// Recent keeps the newest values of a series. The zero value is not usable.
type Recent[T any] struct {
	values []T // a ring once it is full
	size   int
	next   int // where the next one goes, once it is full
}

// NewRecent makes a series of at most size values.
func NewRecent[T any](size int) *Recent[T] { return &Recent[T]{size: max(size, 1)} }

// Add appends a value; the oldest one makes room.
func (r *Recent[T]) Add(v T) {
	if len(r.values) < r.size {
		r.values = append(r.values, v)
		return
	}
	r.values[r.next] = v
	r.next = (r.next + 1) % r.size
}

// Values copies the series, oldest first.
func (r *Recent[T]) Values() []T {
	return append(slices.Clone(r.values[r.next:]), r.values[:r.next]...)
}

// Thinned keeps a picture of a whole series: when it is full, every other value
// goes, and from then on only every second one of those that come is taken, and
// so on. The first value and an even spread stay, however long the series is.
// The zero value is not usable.
type Thinned[T any] struct {
	values []T
	size   int
	stride int // every stride-th value is taken
	seen   int // values since the last one taken
}

// NewThinned makes a series of at most size values, an even number of at least
// two.
func NewThinned[T any](size int) *Thinned[T] {
	return &Thinned[T]{size: max(size+size%2, 2), stride: 1}
}

// Add offers the next value.
func (t *Thinned[T]) Add(v T) {
	t.seen++
	if len(t.values) > 0 && t.seen < t.stride {
		return
	}
	t.seen = 0
	if len(t.values) == t.size {
		for n := range t.size / 2 {
			t.values[n] = t.values[2*n]
		}
		t.values = t.values[:t.size/2]
		t.stride *= 2 // v lies that far behind the last one that stayed
	}
	t.values = append(t.values, v)
}

// Values copies the series, oldest first.
func (t *Thinned[T]) Values() []T { return slices.Clone(t.values) }
