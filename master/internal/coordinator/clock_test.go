package coordinator

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"cloudai/master/internal/cluster"
)

// jump is a reading of a clock that somebody has set by so much: another time of
// day, the same monotonic time. Nothing in package time makes one.
func jump(t time.Time, by time.Duration) time.Time {
	raw := (*struct {
		wall uint64 // a bit, 33 bits of seconds, 30 bits of nanoseconds
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t))
	raw.wall += uint64(int64(by/time.Second)) << 30
	return t
}

// F25: when the clock is set, forwards or backwards, no worker is lost that
// still speaks, and one that is silent is lost in time.
func TestF25TheClockIsSet(t *testing.T) {
	start := time.Now()
	if set := jump(start, time.Hour); set.Sub(start) != 0 || set.Round(0).Sub(start.Round(0)) != time.Hour {
		t.Fatal("the clock was not set as the test means it")
	}
	for _, by := range []time.Duration{365 * 24 * time.Hour, time.Hour, 16 * time.Second, -16 * time.Second, -time.Hour, -365 * 24 * time.Hour} {
		d := newDesk(t)
		d.now = start
		d.join("w", "s")
		s := spec()
		s.MaxReschedules = 1
		e, a := d.place("t", s)
		d.answer(a, nil)
		alive := func(h *Heartbeat) { h.Running = []cluster.RunningAttempt{running(e.task.Ref(), cluster.StateAssigned)} }
		for range 5 {
			d.beat("w", alive)
			d.now = jump(d.now, by)
			d.pass(5 * time.Second)
			if d.m.workers["w"].worker.Lost {
				t.Fatalf("set by %s: the worker is lost while it speaks", by)
			}
		}
		d.beat("w", alive)
		d.now = jump(d.now, by)
		for range 14 { // in steps: one that is far too late means that the master slept
			d.pass(time.Second)
		}
		d.want(e, cluster.StateAssigned, 1)
		d.now = jump(d.now, -by)
		d.pass(1100 * time.Millisecond)
		if !d.m.workers["w"].worker.Lost {
			t.Fatalf("set by %s: the silent worker is not lost after its deadline", by)
		}
		d.want(e, cluster.StateQueued, 2)
	}
}

// The driver hands the machine readings with monotonic time.
func TestF25DeadlinesAreMonotonic(t *testing.T) {
	c := New(Config{HeartbeatInterval: time.Second, HeartbeatTimeout: 3 * time.Second})
	if now := c.now().String(); !strings.Contains(now, " m=") {
		t.Errorf("the clock reads %s", now)
	}
}
