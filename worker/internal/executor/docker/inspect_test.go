package docker

import (
	"testing"
	"time"
)

func TestF08EndTime(t *testing.T) {
	started := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct{ finished, want time.Time }{
		"later":                     {started.Add(time.Second), started.Add(time.Second)},
		"taken in another place":    {started.Add(-time.Millisecond), started},
		"the year 1, so not known":  {time.Time{}, time.Time{}},
		"1970, so not known either": {time.Unix(0, 0), time.Time{}},
	} {
		if got := endTime(started, c.finished); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
