package http

import (
	"context"
	"errors"
	nethttp "net/http"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/events"
)

// watchedTasks is how many tasks a snapshot has when the caller does not say.
const watchedTasks = 100

// watchTasks sends tasks over a WebSocket: the newest as a snapshot, then each
// visible task that has changed or is new.
func (s *Server) watchTasks(w nethttp.ResponseWriter, r *nethttp.Request) {
	p := caller(r.Context())
	if err := accessRead.allows(p); err != nil {
		writeProblem(w, problemOf(err, s.log))
		return
	}
	query, refused := querySocket(r, "limit")
	limit := 0
	if refused == nil {
		limit = int(query.number("limit", 1, 1000, watchedTasks))
		refused = query.problem()
	}
	if refused != nil {
		writeProblem(w, refused)
		return
	}
	views, changes, err := s.core.WatchTasks(r.Context(), p, limit)
	if err != nil {
		writeProblem(w, problemOf(err, s.log))
		return
	}
	noteSocket(r.Context(), "watchTasks", "")
	watch := &taskWatch{core: s.core, caller: p, limit: limit, views: views, changes: changes}
	defer watch.close()
	s.serveSocket(w, r, watch.send)
}

// taskWatch is one look at the tasks that goes on.
type taskWatch struct {
	core    Core
	caller  cluster.Principal
	limit   int
	views   []coordinator.TaskView // what the next whole frame has
	changes *events.Subscription[coordinator.Event]
}

func (t *taskWatch) close() { t.changes.Close() }

// send begins with all there is, and again whenever the client was too slow for
// every change.
func (t *taskWatch) send(ctx context.Context, socket *socket) error {
	for kind := frameSnapshot; ; kind = frameResync {
		err := socket.send(kind, watched(t.views))
		if err == nil {
			err = t.sendChanges(ctx, socket)
		}
		if !errors.Is(err, events.ErrResync) {
			return err
		}
		t.close()
		if t.views, t.changes, err = t.core.WatchTasks(ctx, t.caller, t.limit); err != nil {
			return err
		}
	}
}

// sendChanges sends what is newer than the whole frame before it.
func (t *taskWatch) sendChanges(ctx context.Context, socket *socket) error {
	sent := make(map[cluster.TaskID]int64, len(t.views))
	for _, v := range t.views {
		sent[v.ID] = v.Version
	}
	t.views = nil
	for {
		var order []cluster.TaskID
		newest := map[cluster.TaskID]cluster.Task{}
		err := gatherInto(ctx, t.changes, func(e coordinator.Event) int {
			if e.Task == nil || !t.caller.MaySee(e.Task.Task.UserID) || e.Task.Task.Version <= sent[e.Task.Task.ID] {
				return len(order)
			}
			now := e.Task.Task
			if _, known := newest[now.ID]; !known {
				order = append(order, now.ID)
			}
			newest[now.ID] = now
			return len(order)
		})
		if err != nil {
			return err
		}
		changed := make([]cluster.Task, len(order))
		for i, id := range order {
			changed[i] = newest[id]
		}
		if err := socket.send(frameDelta, watched(t.core.Newest(t.caller, changed))); err != nil {
			return err
		}
	}
}

func watched(views []coordinator.TaskView) client.WatchedTasks {
	return client.WatchedTasks{Items: each(views, taskOf)}
}
