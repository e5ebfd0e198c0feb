package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// table sums the run up.
func (c *check) table(out io.Writer) {
	acknowledged, cancels, attempts := 0, 0, 0
	for _, j := range c.load.jobs {
		if j.id != "" {
			acknowledged++
		}
		if j.cancelled == agreed {
			cancels++
		}
	}
	for _, t := range c.tasks {
		attempts += len(t.Attempts)
	}
	starts := 0
	for _, e := range c.stage.engines {
		starts += len(e.watcher.seen())
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\ntasks\n")
	rows := []struct {
		name string
		n    int
	}{
		{"submitted", len(c.load.jobs)},
		{"acknowledged", acknowledged},
		{"there at the end", len(c.tasks)},
		{"attempts", attempts},
		{"container starts seen", starts},
		{"cancels agreed to", cancels},
	}
	for _, r := range rows {
		fmt.Fprintf(w, "  %s\t%d\n", r.name, r.n)
	}
	counts(w, "verdicts", c.sums)
	done := map[string]int{}
	for what, n := range c.hurt.count {
		done[sortOf(what)] += n
	}
	counts(w, "faults", done)
	fmt.Fprintf(w, "findings\t%d\n", len(c.found))
	_ = w.Flush() // to the terminal
}

// sortOf makes of the worker d1 any worker.
func sortOf(what string) string {
	target, kind, _ := strings.Cut(what, ": ")
	switch {
	case strings.HasPrefix(target, "engine"):
		target = "Docker engine"
	case strings.HasPrefix(target, "disk"), target == "master":
	case strings.HasPrefix(target, "d"):
		target = "worker with containers"
	default:
		target = "worker without"
	}
	return target + ": " + kind
}

func counts(w io.Writer, title string, n map[string]int) {
	fmt.Fprintln(w, title)
	for _, name := range slices.Sorted(maps.Keys(n)) {
		fmt.Fprintf(w, "  %s\t%d\n", name, n[name])
	}
}
