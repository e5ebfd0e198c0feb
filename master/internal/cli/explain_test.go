package cli

import (
	"testing"
	"time"

	"cloudai/master/client"
)

func TestWhenEntered(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	event := func(learnt, worker int) client.Event {
		e := client.Event{Time: at(learnt)}
		if worker >= 0 {
			w := at(worker)
			e.WorkerTime = &w
		}
		return e
	}
	given := []client.Event{
		event(10, -1),
		event(100, 12),  // learnt of late
		event(100, 5),   // a clock that is behind: not before the last
		event(100, 200), // a clock that is ahead: not after the master knew
		event(110, -1),
	}
	got := whenEntered(given)
	for i, want := range []int{10, 12, 12, 100, 110} {
		if !got[i].Time.Equal(at(want)) {
			t.Errorf("event %d: %d ms, want %d", i, got[i].Time.UnixMilli(), want)
		}
	}
	if !given[1].Time.Equal(at(100)) {
		t.Error("the events that were given have changed")
	}
}
