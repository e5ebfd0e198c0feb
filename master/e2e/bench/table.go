package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	docker "github.com/docker/docker/client"
)

// table is what comes out.
type table struct {
	machine string
	rows    [][]string
	notes   []string
}

// add puts a row down; an empty aim means that there is none.
func (t *table) add(what, bare, cloud, compared, aim string) {
	t.rows = append(t.rows, []string{what, bare, cloud, compared, aim})
}

// note puts a line under the table.
func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// describe notes what the figures were taken on.
func (t *table) describe(ctx context.Context) {
	t.machine = fmt.Sprintf("%s, %d cores, %s/%s, %s", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(),
		runtime.GOOS, runtime.GOARCH, runtime.Version())
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		t.machine += ", load before " + strings.Join(strings.Fields(string(load))[:2], " ")
	}
	api, err := docker.NewClientWithOpts(docker.FromEnv, docker.WithAPIVersionNegotiation())
	if err != nil {
		return // the fake part needs no engine
	}
	defer api.Close()
	if v, err := api.ServerVersion(ctx); err == nil {
		t.machine += ", Docker " + v.Version
	}
}

func (t *table) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tbare engine\tCloudAI\tcompared\taim")
	for _, row := range t.rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%s\n", strings.Join(append(t.notes, t.machine), "\n"))
	return err
}

// quantile of durations, 0.5 being the median.
func quantile(all []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	if len(sorted) == 0 {
		return 0
	}
	if n := len(sorted); q == 0.5 && n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }
