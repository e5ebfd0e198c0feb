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
// visible task that has changed or is new, and the ids of those that are gone.
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
		delta := taskDelta{newest: map[cluster.TaskID]cluster.Task{}}
		err := gatherInto(ctx, t.changes, func(e coordinator.Event) int {
			switch {
			case e.Removed != nil && t.caller.MaySee(e.Removed.UserID):
				delta.remove(e.Removed.ID)
			case e.Task != nil && t.caller.MaySee(e.Task.Task.UserID) && e.Task.Task.Version > sent[e.Task.Task.ID]:
				delta.change(e.Task.Task)
			}
			if delta.size >= deltaBytes {
				return deltaMost
			}
			return len(delta.order) + len(delta.removed)
		})
		if err != nil {
			return err
		}
		out := watched(t.core.Newest(t.caller, delta.changed()))
		out.Removed = delta.removed
		if err := socket.send(frameDelta, out); err != nil {
			return err
		}
	}
}

// deltaBytes is how large the tasks of one frame may become: as those of one page.
const deltaBytes = 4 << 20

// taskDelta is what has happened to tasks since the last frame.
type taskDelta struct {
	order   []cluster.TaskID // of those that have changed, also if removed since
	newest  map[cluster.TaskID]cluster.Task
	removed []string
	size    int // of the specs
}

func (d *taskDelta) change(t cluster.Task) {
	if _, known := d.newest[t.ID]; !known {
		d.order = append(d.order, t.ID)
		d.size += t.Spec.Size()
	}
	d.newest[t.ID] = t
}

func (d *taskDelta) remove(id cluster.TaskID) {
	delete(d.newest, id)
	d.removed = append(d.removed, string(id))
}

// changed are the tasks that are still there, in the order of their first
// change.
func (d *taskDelta) changed() []cluster.Task {
	changed := make([]cluster.Task, 0, len(d.newest))
	for _, id := range d.order {
		if t, there := d.newest[id]; there {
			changed = append(changed, t)
		}
	}
	return changed
}

func watched(views []coordinator.TaskView) client.WatchedTasks {
	return client.WatchedTasks{Items: each(views, taskOf)}
}
