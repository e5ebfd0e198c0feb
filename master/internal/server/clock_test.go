package server

import (
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"cloudai/proto/pb"
)

// What took a minute took a minute, and began when it did, also on a worker whose
// clock is wrong.
func TestF25WorkersClockIsWrong(t *testing.T) {
	d := open(t, nil)
	for _, wrong := range []time.Duration{0, 5 * time.Minute, -5 * time.Minute, 30 * time.Millisecond, -time.Hour, 56 * 365 * 24 * time.Hour} {
		sent := time.Now()
		at := func(before time.Duration) *timestamppb.Timestamp { return timestamppb.New(sent.Add(wrong - before)) }
		states := []*pb.StateTime{
			{State: pb.TaskState_TASK_STATE_RUNNING, Time: at(time.Minute)},
			{State: pb.TaskState_TASK_STATE_COLLECT_OUTPUT, Time: at(time.Second)},
		}
		if _, err := d.client.ReportTaskProgress(t.Context(), &pb.TaskProgress{States: states, SentAt: at(0)}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.client.ReportTaskCompletion(t.Context(), &pb.TaskResult{
			Status: "succeeded", States: states, FinishedAt: at(time.Second), SentAt: at(0),
		}); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		within := func(what string, got time.Time, before time.Duration) {
			t.Helper()
			if got.Before(sent.Add(-before)) || got.After(now.Add(-before)) {
				t.Errorf("off by %s: %s is %s from what it was", wrong, what, got.Sub(sent.Add(-before)))
			}
		}
		p, c := d.core.progress.Observation.States, d.core.completion
		within("the start", p[0].Time, time.Minute)
		within("the end in the result", c.FinishedAt, time.Second)
		if took := c.Observation.States[1].Time.Sub(c.Observation.States[0].Time); took != 59*time.Second {
			t.Errorf("off by %s: it took %s", wrong, took)
		}
	}
}

func TestClockOf(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		sent *timestamppb.Timestamp
		want time.Duration
	}{
		{nil, 0},
		{timestamppb.New(now), 0},
		{timestamppb.New(now.Add(-999 * time.Millisecond)), 0}, // it was on its way
		{timestamppb.New(now.Add(-time.Second)), time.Second},
		{timestamppb.New(now.Add(time.Nanosecond)), -time.Nanosecond}, // ahead for certain
		{timestamppb.New(now.Add(time.Hour)), -time.Hour},
		{&timestamppb.Timestamp{Seconds: math.MaxInt64}, 0},
	} {
		if got := clockOf(c.sent, now); time.Duration(got) != c.want {
			t.Errorf("sent %v: %s, want %s", c.sent, time.Duration(got), c.want)
		}
	}
	// No worker's clock makes a time that cannot be written down.
	early := clockOf(timestamppb.New(time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC)), now)
	late := clockOf(timestamppb.New(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)), now)
	for _, at := range []time.Time{
		early.time(timestamppb.New(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))),
		late.time(timestamppb.New(time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC))),
		early.time(nil),
	} {
		if !at.IsZero() {
			t.Errorf("%s", at)
		}
	}
}
