package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// The seed feeds several independent streams, so that what is submitted does not
// hang on what is hurt.
const (
	streamPlan = iota + 1
	streamCancel
	streamTasks // and further ones, one per task
)

func stream(seed, number uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, number)) }

// wound is something that is done to the cluster and undone after a while.
type wound struct {
	at     time.Duration // since the beginning
	kind   string
	target string
	length time.Duration
}

func (w wound) String() string {
	return fmt.Sprintf("%s: %s for %s", w.target, w.kind, w.length.Round(10*time.Millisecond))
}

// target is one thing of the cluster with all that can be done to it.
type target struct {
	name   string
	weight int // how often it is chosen
	kinds  []string
	longer time.Duration // the longest time that it is left so
}

// targets is everything that can be hurt. What lasts longer than the master's
// patience has a worker lost.
var targets = []target{
	{"master", 4, []string{killed, killed, terminated}, 2 * time.Second},
	{"engine a", 3, []string{killed, terminated, torn}, 3 * time.Second},
	{"engine b", 2, []string{killed, terminated, torn}, 3 * time.Second},
	{"d1", 2, []string{killed, killed, terminated, frozen}, 5 * time.Second},
	{"d2", 4, []string{killed, terminated, frozen, cutOff, cutOff, unplugged, deaf}, 5 * time.Second},
	{"d3", 4, []string{killed, terminated, frozen, cutOff, cutOff, unplugged, deaf}, 5 * time.Second},
	{"f1", 1, []string{killed, terminated, frozen}, 5 * time.Second},
	{"f2", 3, []string{killed, terminated, frozen, cutOff, cutOff, unplugged, deaf}, 5 * time.Second},
	{"f3", 3, []string{killed, terminated, frozen, cutOff, cutOff, unplugged, deaf}, 5 * time.Second},
	{"disk of master", 2, []string{full, nearlyFull}, 3 * time.Second},
	{"disk of d1", 1, []string{full}, 3 * time.Second},
	{"disk of f1", 1, []string{full}, 3 * time.Second},
}

// What is done.
const (
	killed     = "killed"
	terminated = "asked to end"
	torn       = "killed with its shims"
	frozen     = "frozen"
	cutOff     = "cut off"
	unplugged  = "unplugged"
	deaf       = "deaf"
	full       = "full"
	nearlyFull = "nearly full"
)

// between is the longest pause from one wound to the next.
const between = 1800 * time.Millisecond

// newPlan decides everything that is done in so long a time; what is done last
// is undone before its end where that can be.
func newPlan(seed uint64, length time.Duration) []wound {
	r := stream(seed, streamPlan)
	total := 0
	for _, t := range targets {
		total += t.weight
	}
	var plan []wound
	for at := 2 * time.Second; at < length; at += 200*time.Millisecond + time.Duration(r.Int64N(int64(between))) {
		n := r.IntN(total)
		for _, t := range targets {
			if n -= t.weight; n >= 0 {
				continue
			}
			plan = append(plan, wound{
				at: at, target: t.name, kind: t.kinds[r.IntN(len(t.kinds))],
				length: time.Duration(r.Int64N(int64(t.longer))),
			})
			break
		}
	}
	return plan
}
