// Command bench measures what CloudAI adds to the bare engine and prints one
// table. It runs the real binaries in a folder of its own and touches only
// containers that it made itself. From the folder master:
//
//	go run ./e2e/bench             all of it, some minutes
//	go run ./e2e/bench -only fake  one part: latency, rate, fake or store
//	go run ./e2e/bench -help
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// options are what the flags say.
type options struct {
	bin, setup string // folders
	dir        string // in it the cluster's folder is made
	image      string // empty: the test image, made when it is not there
	only       string
	runs       int // of one container
	clients    int // at the same time
	rounds     int // of the rate, bare and through CloudAI in turn
	perRound   int // containers
	tasks      int // with fake workers
	submitters int
	queued     int // in the store
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.bin, "bin", "../bin", "folder of the binaries")
	flags.StringVar(&o.setup, "setup", "../.tools/setup", "folder of the set-up scripts")
	flags.StringVar(&o.dir, "dir", "../.cache/bench", "folder for the data, on the disk to be measured")
	flags.StringVar(&o.image, "image", "", "image with a program true (default: the test image)")
	flags.StringVar(&o.only, "only", "", "only this part: latency, rate, fake or store")
	flags.IntVar(&o.runs, "runs", 20, "latency: runs of one container, each way")
	flags.IntVar(&o.clients, "clients", 8, "rate: clients at the same time")
	flags.IntVar(&o.rounds, "rounds", 3, "rate: rounds, each way")
	flags.IntVar(&o.perRound, "containers", 48, "rate: containers per round")
	flags.IntVar(&o.tasks, "tasks", 20000, "fake: tasks")
	flags.IntVar(&o.submitters, "submitters", 64, "fake: clients that submit")
	flags.IntVar(&o.queued, "queued", 100_000, "store: tasks in it")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	parts := []struct {
		name    string
		measure func(context.Context, options, *table) error
	}{
		{"latency", latency},
		{"rate", rate},
		{"fake", fake},
		{"store", stored},
	}
	var report table
	report.describe(ctx)
	known := false
	for _, p := range parts {
		if o.only != "" && o.only != p.name {
			continue
		}
		known = true
		fmt.Fprintf(os.Stderr, "bench: measuring %s\n", p.name)
		if err := p.measure(ctx, o, &report); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if !known {
		return fmt.Errorf("there is no part %q: latency, rate, fake, store", o.only)
	}
	return report.print(out)
}

// useImage gives the image to measure with; the engine has it.
func (o options) useImage(ctx context.Context) (string, error) {
	if o.image != "" {
		return o.image, nil
	}
	cmd := exec.CommandContext(ctx, filepath.Join(o.setup, "image.sh"))
	cmd.Stderr = os.Stderr
	name, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("making the test image: %w", err)
	}
	return strings.TrimSpace(string(name)), nil
}

// networks are measured one by one: the bridge is a good part of a start.
var networks = []string{"none", "bridge"}

// inTurn does each thing n times, in an order that gives none the better half.
func inTurn(n int, things ...func() error) error {
	for range n {
		for _, do := range things {
			if err := do(); err != nil {
				return err
			}
		}
		slices.Reverse(things)
	}
	return nil
}
