package telemetry

import (
	"context"
	"testing"

	"github.com/shirou/gopsutil/v3/cpu"
	"go.uber.org/goleak"

	"cloudai/worker/internal/system"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSamplerMeasuresTheHost(t *testing.T) {
	s := NewSampler(disks(t, 0), 100, true)
	if s.Latest() != (Usage{}) {
		t.Errorf("before the first sample: %+v", s.Latest())
	}
	s.sample(t.Context())
	if u := s.Latest(); u.Memory < 1 {
		t.Errorf("%+v", u)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

// disks are those of this host, of which a share is kept free.
func disks(t *testing.T, kept int64) system.Disks {
	return system.Disks{Output: t.TempDir(), Reserve: func(total int64) int64 { return kept * total }}
}

// Of what is offered nothing is in use while the disks have it, however full of
// other things they are.
func TestStorageInUseIsWhatTheDisksLack(t *testing.T) {
	for _, c := range []struct {
		kept, offered, want int64
	}{
		{0, 1, 0},
		{1, 1, 1},
		{1, 5000, 5000},
		{1, 0, 0},
	} {
		s := NewSampler(disks(t, c.kept), c.offered, false)
		s.sample(t.Context())
		if got := s.Latest().Storage; got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	gone := NewSampler(system.Disks{Output: t.TempDir() + "/none"}, 5, false)
	gone.latest.Storage = 3
	gone.sample(t.Context())
	if got := gone.Latest().Storage; got != 3 {
		t.Errorf("a disk that does not answer: %d", got)
	}
}

func TestCoresAreTheMeanSinceTheLastSample(t *testing.T) {
	count, err := cpu.Counts(true)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSampler(system.Disks{}, 0, false)
	for _, c := range []struct {
		times cpu.TimesStat
		want  float64 // of all cores
	}{
		{cpu.TimesStat{User: 10, Idle: 90}, 0},
		{cpu.TimesStat{User: 15, System: 5, Idle: 100}, 0.5},
		{cpu.TimesStat{User: 15, System: 5, Idle: 100}, 0.5},           // no time has passed
		{cpu.TimesStat{User: 15, System: 5, Idle: 140, Iowait: 40}, 0}, // waiting is not working
		{cpu.TimesStat{User: 115, System: 5, Idle: 140, Iowait: 40}, 1},
	} {
		if got := s.cores(c.times, s.Latest().CPU); got != c.want*float64(count) {
			t.Errorf("%v: %v cores, want %v of %d", c.times, got, c.want, count)
		}
		s.latest.CPU = c.want * float64(count)
	}
}

func TestBusyGPUs(t *testing.T) {
	if n := busyGPUs([]system.GPU{{Use: 0}, {Use: 3}, {Use: 100}}); n != 2 {
		t.Errorf("%d", n)
	}
}
