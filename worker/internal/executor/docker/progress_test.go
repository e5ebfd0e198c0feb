package docker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distribution/reference"

	"cloudai/worker/internal/executor"
)

func testPull(t *testing.T) *pull {
	t.Helper()
	named, err := reference.ParseNormalizedNamed("r.example/x:1")
	if err != nil {
		t.Fatal(err)
	}
	return newPull(named)
}

// A pull's messages as an engine sends them.
func TestPullMessages(t *testing.T) {
	const messages = `{"status":"Pulling from x","id":"1"}
{"status":"Pulling fs layer","progressDetail":{},"id":"aa"}
{"status":"Pulling fs layer","progressDetail":{},"id":"bb"}
{"status":"Waiting","progressDetail":{},"id":"bb"}
{"status":"Downloading","progressDetail":{"current":10,"total":100},"id":"aa"}
{"status":"Downloading","progressDetail":{"current":10,"total":100},"id":"aa"}
{"status":"Retrying in 5 seconds","progressDetail":{},"id":"bb"}
{"status":"Downloading","progressDetail":{"current":7,"total":50},"id":"bb"}
{"status":"Download complete","progressDetail":{},"id":"aa"}
{"status":"Extracting","progressDetail":{"current":5,"total":100},"id":"aa"}
{"status":"Pull complete","progressDetail":{},"id":"bb"}
{"status":"Digest: sha256:00"}
`
	p, moves := testPull(t), 0
	if err := p.read(strings.NewReader(messages), func() { moves++ }); err != nil {
		t.Fatal(err)
	}
	if sum, begun := p.current(); !begun || sum != (executor.PullProgress{DoneBytes: 150, TotalBytes: 150}) {
		t.Errorf("%t, %+v", begun, sum)
	}
	if moves != 10 { // all but the repeated one and the countdown
		t.Errorf("%d moves", moves)
	}
	p = testPull(t)
	err := p.read(strings.NewReader(messages+`{"errorDetail":{"message":"unexpected EOF"},"error":"unexpected EOF"}`), func() {})
	if got := pullError(t.Context(), p.named, err); !errors.Is(got, executor.ErrRegistry) {
		t.Errorf("%v, want ErrRegistry", got)
	}
	err = p.read(strings.NewReader(`{"status":"Pull`), func() {})
	if got := pullError(t.Context(), p.named, err); !errors.Is(got, executor.ErrEngine) {
		t.Errorf("%v, want ErrEngine", got)
	}
}

func TestWaitsForOthers(t *testing.T) {
	for want, status := range map[bool]map[string]string{
		true:  {"a": "Waiting", "b": "Pull complete", "c": "Pulling fs layer"},
		false: {"a": "Waiting", "b": "Downloading"},
	} {
		if waitsForOthers(status) != want {
			t.Errorf("%v: want %t", status, want)
		}
	}
	if waitsForOthers(nil) {
		t.Error("nothing waits for nobody")
	}
}

// F11: who waits for a pull hears that it goes on, also when it only waits for
// its turn at the engine and no byte moves; a late one hears at once.
func TestF11WaitersHearThatThePullGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testPull(t)
		p.cancel = func(error) {}
		p.waiters = 1
		im := &images{pulls: map[string]*pull{p.named.String(): p}}
		var mu sync.Mutex
		told := map[string][]executor.PullProgress{}
		heard := func(who string) int {
			mu.Lock()
			defer mu.Unlock()
			return len(told[who])
		}
		var wg sync.WaitGroup
		wait := func(who string) {
			wg.Go(func() {
				err := im.pull(t.Context(), p.named, func(sum executor.PullProgress) {
					mu.Lock()
					defer mu.Unlock()
					told[who] = append(told[who], sum)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wait("early")
		time.Sleep(time.Minute)
		if n := heard("early"); n != 0 {
			t.Errorf("told %d times before the registry's first word", n)
		}
		p.publish(executor.PullProgress{}) // queued
		time.Sleep(time.Minute)
		if n := heard("early"); n < 20 {
			t.Errorf("told %d times in a minute", n)
		}
		p.publish(executor.PullProgress{DoneBytes: 3, TotalBytes: 9})
		wait("late")
		synctest.Wait()
		if n := heard("late"); n != 1 || told["late"][0] != told["early"][len(told["early"])-1] {
			t.Errorf("the late one was told %v", told["late"])
		}
		p.finish(nil)
		wg.Wait()
	})
}

// A pull in the engine's queue has as long as the others move, and then the
// limit.
func TestWatchdog(t *testing.T) {
	const limit = time.Minute
	for name, tc := range map[string]struct {
		queued bool
		moves  time.Duration // how long another pull moves
		want   time.Duration
	}{
		"alone":          {false, 0, limit},
		"stalled itself": {false, 10 * time.Minute, limit},
		"queued":         {true, 10 * time.Minute, 11 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, last := testPull(t), &atomic.Int64{}
			p.queued.Store(tc.queued)
			ctx, cancel := context.WithCancelCause(t.Context())
			begin := time.Now()
			var wg sync.WaitGroup
			wg.Go(func() {
				for time.Since(begin) < tc.moves && ctx.Err() == nil {
					time.Sleep(time.Second)
					last.Store(time.Now().UnixNano())
				}
			})
			p.watchdog(ctx, cancel, nil, limit, last)
			took := time.Since(begin)
			wg.Wait()
			if took != tc.want || !errors.Is(context.Cause(ctx), errStalled) {
				t.Errorf("%s: %s, %v; want %s", name, took, context.Cause(ctx), tc.want)
			}
		})
	}
}
