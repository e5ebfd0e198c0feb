package main

import (
	"fmt"
	"strings"
	"time"
)

// steps collects, over many runs, how long each step of a way took. On a nil
// pointer its methods do nothing.
type steps struct {
	names []string // in the order of the way
	took  map[string][]time.Duration
	last  time.Time
}

// begin is where the next run's first step begins.
func (s *steps) begin(at time.Time) {
	if s != nil {
		s.last = at
	}
}

// done ends a step, and the next one begins.
func (s *steps) done(name string, at time.Time) {
	if s == nil {
		return
	}
	if s.took == nil {
		s.took = map[string][]time.Duration{}
	}
	if s.took[name] == nil {
		s.names = append(s.names, name)
	}
	s.took[name] = append(s.took[name], at.Sub(s.last))
	s.last = at
}

// String is each step's median in milliseconds.
func (s *steps) String() string {
	var parts []string
	for _, name := range s.names {
		parts = append(parts, fmt.Sprintf("%s %.1f", name, float64(quantile(s.took[name], 0.5))/1e6))
	}
	return strings.Join(parts, ", ")
}
