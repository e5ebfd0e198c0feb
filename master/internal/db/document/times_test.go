package document

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 2, 3, 12, 0, 0, 123_456_789, time.UTC)

func TestTimes(t *testing.T) {
	for _, tt := range []struct{ in, want time.Time }{
		{time.Time{}, time.Time{}},
		{time.Unix(0, 0), time.Unix(0, 0)},
		{time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), earliest},
		{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), latest},
		{noon.In(time.FixedZone("x", 3600)), noon},
	} {
		for _, got := range []time.Time{toStamp(tt.in).time(), FromNanos(Nanos(tt.in))} {
			if !got.Equal(tt.want) || got.Location() != time.UTC {
				t.Errorf("%v came back as %v, want %v", tt.in, got, tt.want)
			}
		}
	}
}
