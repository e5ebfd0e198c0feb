// Command chaos runs one master, three workers with containers and three
// without on this machine, hurts them at random while people submit and cancel
// tasks, lets all heal, and then proves that nothing was lost, done twice or
// left behind. It starts Docker engines of its own and touches no other. It
// needs root. From the folder master:
//
//	go run ./e2e/chaos                      two minutes, random seed
//	go run ./e2e/chaos -seed 7 -seconds 60  with the choices of seed 7
//
// The seed decides what is submitted, cancelled and hurt, when, and for how
// long. What then happens inside the processes it does not decide, so a seed
// repeats the plan and not each outcome.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"cloudai/master/e2e/rig"
)

// options are what the flags say.
type options struct {
	bin, setup string // folders
	seed       uint64
	seconds    int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.StringVar(&o.bin, "bin", "../bin", "folder of the binaries")
	flags.StringVar(&o.setup, "setup", "../.tools/setup", "folder of the set-up scripts")
	flags.Uint64Var(&o.seed, "seed", 0, "decides all choices; 0: a random one")
	flags.IntVar(&o.seconds, "seconds", 120, "how long it takes, the healing at the end included; at least 20")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if o.seconds < 20 {
		return fmt.Errorf("%d seconds are not enough to hurt and to heal: 20 at least", o.seconds)
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1<<32) + 1
	}
	fmt.Fprintf(out, "chaos: seed %d, %d seconds\n", o.seed, o.seconds)
	found, err := chaos(ctx, o, out)
	if err != nil {
		return fmt.Errorf("seed %d: %w", o.seed, err)
	}
	if len(found) > 0 {
		return fmt.Errorf("seed %d: %d findings:\n  %s", o.seed, len(found), strings.Join(found, "\n  "))
	}
	return nil
}

// chaos is one run. What it finds wrong with the cluster is not an error; an
// error means that there is no verdict.
func chaos(ctx context.Context, o options, out io.Writer) (found []string, err error) {
	j := &journal{out: out, began: time.Now()}
	st, err := newStage(ctx, o)
	defer func() {
		kept := ""
		if err != nil || len(found) > 0 {
			kept = st.keep(out)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if closing := st.close(ctx, kept != ""); closing != nil && ctx.Err() == nil {
			found = append(found, "clearing up: "+closing.Error())
		}
	}()
	if err != nil {
		return nil, err
	}
	j.say("the cluster stands")
	total := time.Duration(o.seconds) * time.Second
	// A third of a short run, a fifth of a long one, is for healing.
	healing := min(max(total/5, 15*time.Second), total/3)
	l := newLoad(o.seed, st, j)
	wild, calm := context.WithTimeout(ctx, total-healing)
	defer calm()
	minding, rest := context.WithCancel(ctx)
	var minder, people sync.WaitGroup
	minder.Go(func() { st.mind(minding) })
	defer minder.Wait()
	defer rest()
	people.Go(func() { l.run(wild) })
	hurt := st.hurt(wild, newPlan(o.seed, total-healing), j)
	people.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	j.say("all heals now")
	if err := st.heal(ctx); err != nil {
		return nil, fmt.Errorf("healing: %w", err)
	}
	l.finish(ctx)
	c := &check{load: l, stage: st, hurt: hurt}
	limit := 3 * healing
	if err := rig.Await(ctx, limit, c.settled); err != nil {
		found = append(found, "it does not come to rest: "+err.Error())
	}
	j.say("at rest; looking at what is there")
	rest()
	minder.Wait()
	c.run(ctx)
	c.table(out)
	return append(found, c.found...), ctx.Err()
}

// journal prints what happens, with the time since the beginning.
type journal struct {
	mu    sync.Mutex
	out   io.Writer
	began time.Time
}

func (j *journal) say(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	fmt.Fprintf(j.out, "%7.2fs  %s\n", time.Since(j.began).Seconds(), fmt.Sprintf(format, args...))
}
