//go:build engine

package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"cloudai/master/e2e/rig"
)

// With both budgets 0 no container is ever started twice, whatever dies: here
// the master and all workers at once, with a task at each step, and in two cases
// the container too, so that nobody is left who has seen it run. The engine's
// own events count the starts.
func TestZeroBudgetsStartOnce(t *testing.T) {
	w := newWorld(t, "HEARTBEAT_INTERVAL=500ms", "HEARTBEAT_TIMEOUT=15s")
	started := after(w, "POST", `/containers/[^/]+/start$`)
	untold := func(t *testing.T, p *place) string { // of which the master never hears
		p.wire.Stop(rig.ToMaster, 0)
		return started(t, p)
	}
	steps := []struct {
		name     string
		meet     func(*testing.T, *place) (id string)
		lose     func(t *testing.T, p *place, id string) // while all are dead
		attempts int
		failure  string // empty: it succeeds
	}{
		{name: "assigned", meet: before(w, "GET", `/images/.*/json$`), attempts: 2},
		{name: "creating", meet: before(w, "POST", `/containers/create$`), attempts: 2},
		{name: "created", meet: before(w, "POST", `/containers/[^/]+/start$`), attempts: 1},
		{name: "started", meet: started, attempts: 1},
		{name: "running", meet: w.runs, attempts: 1},
		{name: "uploading", meet: func(t *testing.T, p *place) string {
			p.task.Command = strings.Replace(p.task.Command, "seq 2000", "head -c 3000000 /dev/zero >/output/zeros; seq 2000", 1)
			id := w.runs(t, p)
			p.wire.Stop(rig.ToMaster, 1<<20)
			w.open(t, w.containerOf(t, id))
			await(t, verdict, func(context.Context) error {
				if !p.wire.Spent(rig.ToMaster) {
					return fmt.Errorf("the upload has not got so far")
				}
				return nil
			})
			return id
		}, attempts: 1},
		{name: "removed", meet: untold, lose: w.removeContainer, attempts: 1, failure: "runtime"},
		{name: "wiped", meet: untold, lose: func(t *testing.T, p *place, id string) {
			w.removeContainer(t, p, id)
			must(t, os.RemoveAll(p.worker.Dir))
		}, attempts: 1, failure: "worker_lost"},
	}
	var names []string
	for _, s := range steps {
		names = append(names, s.name)
	}
	places := w.places(t, names...)
	starts := w.engine.Starts(t.Context())
	t.Cleanup(starts.Stop)
	ids := map[string]string{}
	for _, s := range steps {
		ids[s.name] = s.meet(t, places[s.name])
	}

	must(t, w.Master.Kill())
	for _, s := range steps {
		p := places[s.name]
		must(t, p.worker.Kill())
		p.wire.Go(rig.ToMaster)
		p.wire.Go(rig.ToWorker)
		if s.lose != nil {
			s.lose(t, p, ids[s.name])
		}
	}
	must(t, w.StartMaster(t.Context()))
	for _, s := range steps {
		must(t, w.RestartWorker(t.Context(), places[s.name].worker))
	}
	var all []string
	for _, s := range steps {
		id := ids[s.name]
		all = append(all, id)
		w.openSoon(t, id)
		if s.failure == "" {
			w.whole(t, id, places[s.name], s.attempts)
			continue
		}
		if task := w.failed(t, id, s.failure); task.Attempt != s.attempts {
			t.Errorf("%s: %s", s.name, describe(task))
		}
	}
	onlyOnce(t, starts.Of, all)
}

// removeContainer takes the task's container away, as somebody might who tidies
// up an engine.
func (w *world) removeContainer(t *testing.T, _ *place, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, w.engine.ContainerRemove(ctx, w.containerOf(t, id), container.RemoveOptions{Force: true}))
}
