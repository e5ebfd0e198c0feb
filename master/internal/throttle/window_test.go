package throttle

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestSlides(t *testing.T) {
	w := New(3, time.Minute, 10)
	for i := range 3 {
		if wait := w.Take("a", noon.Add(time.Duration(i)*time.Second)); wait != 0 {
			t.Fatalf("try %d has to wait %s", i, wait)
		}
	}
	for range 100 { // refused ones do not count
		if wait := w.Take("a", noon.Add(10*time.Second)); wait != 50*time.Second {
			t.Fatalf("has to wait %s", wait)
		}
	}
	if wait := w.Take("b", noon.Add(10*time.Second)); wait != 0 {
		t.Fatalf("another key has to wait %s", wait)
	}
	if wait := w.Take("a", noon.Add(time.Minute)); wait != 0 {
		t.Fatalf("has to wait %s when the first is over", wait)
	}
	if wait := w.Take("a", noon.Add(time.Minute)); wait != time.Second {
		t.Fatalf("has to wait %s for the second", wait)
	}
	w.Return("a")
	if wait := w.Take("a", noon.Add(time.Minute)); wait != 0 {
		t.Fatalf("one that was taken back counts: %s", wait)
	}
	w.Forget("a")
	for range 3 {
		if wait := w.Take("a", noon.Add(time.Minute)); wait != 0 {
			t.Fatalf("one that was forgotten counts: %s", wait)
		}
	}
	w.Return("nobody")
	w.Forget("nobody")
}

// Old keys go by themselves, and new ones push out the longest untouched.
func TestMemoryIsBounded(t *testing.T) {
	w := New(2, time.Minute, 10)
	for i := range 1000 {
		w.Take(fmt.Sprint(i), noon)
		if w.Len() > 10 {
			t.Fatalf("%d keys are known", w.Len())
		}
	}
	w.Take("990", noon) // touched, so it stays
	w.Take("x", noon)
	if wait := w.Take("990", noon); wait != time.Minute {
		t.Fatalf("a fresh key was pushed out: %s", wait)
	}
	w.Take("y", noon.Add(time.Minute))
	if w.Len() != 1 {
		t.Fatalf("%d keys are known, all but one are over", w.Len())
	}
	w.Return("y")
	if w.Len() != 0 {
		t.Fatal("a key without tries is known")
	}
}

// However many come at once, no more get through than may.
func TestTogether(t *testing.T) {
	w := New(10, time.Minute, 10)
	var through atomic.Int64
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if w.Take("a", noon) == 0 {
				through.Add(1)
			}
		})
	}
	all.Wait()
	if through.Load() != 10 {
		t.Fatalf("%d got through", through.Load())
	}
}
