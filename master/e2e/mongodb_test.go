//go:build engine

package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudai/master/internal/db/mongodb/mongotest"
)

// onEachStore runs a test with a master on the embedded store and with one on a
// MongoDB; the settings make the difference.
func onEachStore(t *testing.T, test func(t *testing.T, store ...string)) {
	t.Run("Embedded", func(t *testing.T) { test(t) })
	t.Run("MongoDB", func(t *testing.T) { test(t, mongoStore(t)...) })
}

// mongoStore are the settings of a master on an empty database: of the server
// that MONGODB_TEST_URI names, else of one that is started for the test.
func mongoStore(t *testing.T) []string {
	t.Helper()
	if uri := os.Getenv("MONGODB_TEST_URI"); uri != "" {
		return []string{"MONGODB_URI=" + uri, "MONGODB_DATABASE=cloudai_e2e_" + strings.ToLower(rand.Text()[:12])}
	}
	_, settings := mongoServer(t)
	return settings
}

// mongoServer is a server of the test's own.
func mongoServer(t *testing.T) (*mongotest.Server, []string) {
	t.Helper()
	server, err := mongotest.Start(t.TempDir())
	must(t, err)
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server, []string{"MONGODB_URI=" + server.URI()}
}

// The jobs of every day on a MongoDB.
func TestTaskOnMongoDB(t *testing.T) {
	t.Parallel()
	w, _ := newCluster(t, "8", mongoStore(t)...)
	for name, test := range map[string]func(*testing.T, *world){
		"Success": testSuccess, "Output": testOutput, "ExitCode": testExitCode, "Timeout": testTimeout,
		"CancelQueued": testCancelQueued, "LogLive": testLogLive,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, w)
		})
	}
}

// The database stops for a while, and later its process is killed and started
// again. Meanwhile submits are refused with 503 and Retry-After, and what runs
// runs on; afterwards every task that was acknowledged is there and ends well,
// and one that was refused is there once after it was sent again.
func TestF25DatabaseAway(t *testing.T) {
	server, settings := mongoServer(t)
	w, _ := newCluster(t, "4", settings...)
	starts := w.engine.Starts(t.Context())
	defer starts.Stop()
	for name, outage := range map[string]struct{ away, back func() error }{
		"suspended": {
			func() error { return server.Signal(syscall.SIGSTOP) },
			func() error { return server.Signal(syscall.SIGCONT) },
		},
		"killed": {server.Kill, server.Restart},
	} {
		t.Run(name, func(t *testing.T) { w.outlivesOutage(t, name, outage.away, outage.back, starts.Of) })
	}
}

func (w *world) outlivesOutage(t *testing.T, name string, away, back func() error, starts func(string) (int, error)) {
	running := w.submit(t, w.gated("echo begin", "echo end; echo kept >/output/file"))
	w.becomes(t, running, "running")
	container := w.containerOf(t, running)
	ids := []string{running}
	for n := range 3 {
		ids = append(ids, w.submit(t, w.small(fmt.Sprintf("echo before %d", n))))
	}
	must(t, away())
	body := func(key string) string {
		return fmt.Sprintf(`{"docker_image":%q,"name":%q,"args":["true"],"cpu_required":0.5,"memory_required":64,"network":"none"}`, w.image, key)
	}
	var refused []string
	for n := range 3 {
		key := fmt.Sprintf("%s-%d", name, n)
		asked := time.Now()
		got := w.mustPost(t, "/api/tasks", key, body(key))
		if got.status != http.StatusServiceUnavailable || got.retry == "" {
			t.Errorf("submit %d while the database is away: %+v", n, got)
		}
		if took := time.Since(asked); took > 15*time.Second {
			t.Errorf("it was refused only after %s", took)
		}
		refused = append(refused, key)
	}
	w.open(t, container) // it ends while nothing can be stored
	await(t, verdict, w.exited(container))
	must(t, back())
	await(t, verdict, func(ctx context.Context) error { return w.API().Ready(ctx) })
	for _, key := range refused {
		await(t, verdict, func(ctx context.Context) error {
			got, err := w.post(ctx, "/api/tasks", key, body(key))
			if err == nil && got.status != http.StatusCreated {
				err = fmt.Errorf("key %s: %+v", key, got)
			}
			return err
		})
		found := w.named(t, key)
		if len(found) != 1 {
			t.Errorf("key %s: tasks %v", key, found)
		}
		ids = append(ids, found...)
	}
	for _, id := range ids {
		w.succeeded(t, id)
	}
	if log := w.log(t, running, ""); log != "begin\nend\n" {
		t.Errorf("the log is %q", log)
	}
	if got := w.output(t, running, "file"); got != "kept\n" {
		t.Errorf("the output is %q", got)
	}
	onlyOnce(t, starts, ids)
}
