package document

import (
	"math"
	"time"
)

// The times that nanoseconds since 1970 can say. One unit is kept free at the
// lower end.
var (
	earliest = time.Unix(0, math.MinInt64+1)
	latest   = time.Unix(0, math.MaxInt64)
)

// clamped is the time in nanoseconds since 1970.
func clamped(t time.Time) int64 {
	switch {
	case t.Before(earliest):
		return math.MinInt64 + 1
	case t.After(latest):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// Nanos is a time as nanoseconds since 1970, for columns: it keeps the order, and
// the zero time comes before all others.
func Nanos(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return clamped(t)
}

// FromNanos is the reverse of Nanos.
func FromNanos(n int64) time.Time {
	if n == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// stamp is a time in a document, where the zero time is left out: it is 0, and
// the first moment of 1970 takes the free unit.
type stamp int64

func toStamp(t time.Time) stamp {
	if t.IsZero() {
		return 0
	}
	if n := clamped(t); n != 0 {
		return stamp(n)
	}
	return math.MinInt64
}

// time is the reverse of toStamp.
func (s stamp) time() time.Time {
	switch s {
	case 0:
		return time.Time{}
	case math.MinInt64:
		return time.Unix(0, 0).UTC()
	}
	return time.Unix(0, int64(s)).UTC()
}
