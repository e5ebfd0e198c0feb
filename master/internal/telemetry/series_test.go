package telemetry

import (
	"slices"
	"testing"
)

func TestRecentKeepsTheNewest(t *testing.T) {
	r := NewRecent[int](3)
	var want []int
	for n := range 10 {
		if got := r.Values(); !slices.Equal(got, want) {
			t.Fatalf("after %d: %v, want %v", n, got, want)
		}
		r.Add(n)
		want = append(want, n)
		want = want[max(0, len(want)-3):]
	}
}

// However long the series: it stays within its bound, begins with the first
// value, is evenly spaced, and its end is no further away than one space.
func TestThinnedKeepsAnEvenPicture(t *testing.T) {
	for _, size := range []int{2, 3, 8, 100} {
		s := NewThinned[int](size)
		for n := range 5000 {
			s.Add(n)
			got := s.Values()
			if len(got) > size+1 || got[0] != 0 {
				t.Fatalf("size %d after %d: %v", size, n, got)
			}
			if len(got) == 1 {
				continue
			}
			space := got[1] - got[0]
			for i := range got {
				if got[i] != i*space {
					t.Fatalf("size %d after %d: uneven: %v", size, n, got)
				}
			}
			if n-got[len(got)-1] >= space || len(got) < size/2 && space > 1 {
				t.Fatalf("size %d after %d: thinner than needed: %v", size, n, got)
			}
		}
	}
}

// What is handed out is a copy.
func TestValuesAreCopies(t *testing.T) {
	r, s := NewRecent[int](2), NewThinned[int](2)
	r.Add(1)
	s.Add(1)
	r.Values()[0], s.Values()[0] = 9, 9
	if r.Values()[0] != 1 || s.Values()[0] != 1 {
		t.Fatal("a reader can change the series")
	}
}
