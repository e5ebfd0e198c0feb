package server

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// clock turns a worker's times into the master's, by so much: when a task began
// and how long it took is not to hang on how its worker's clock is set.
type clock time.Duration

// sameClock is what a message takes. A clock that is behind by less cannot be
// told from one that is right.
const sameClock = time.Second

// clockOf compares what a worker's clock showed when it sent a message with ours
// when the message was here. The times come out late by what it was on its way.
func clockOf(sent *timestamppb.Timestamp, received time.Time) clock {
	at := timeOf(sent)
	if at.IsZero() {
		return 0 // of a version that does not say
	}
	off := received.Sub(at)
	if off >= 0 && off < sameClock {
		return 0
	}
	return clock(off)
}

func (c clock) time(t *timestamppb.Timestamp) time.Time {
	at := timeOf(t)
	if at.IsZero() {
		return at
	}
	return timeOf(timestamppb.New(at.Add(time.Duration(c))))
}
