//go:build engine

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudai/master/client"
)

// A batch and a cancel of ten thousand tasks, whole and cut off by a SIGKILL of
// the master in their midst: the same request completes them, under the ids of
// the first reply, and repeats of it change nothing. Others are answered
// meanwhile, and the master's memory is bounded.
func TestF01SoakManyTasks(t *testing.T) { onEachStore(t, testManyTasks) }

// What ten thousand tasks may take.
const (
	manyMemory = mebibytes(256 << 20) // of the master, with all of them waiting
	manyBeside = time.Second          // 99th percentile of another's GET
)

func testManyTasks(t *testing.T, store ...string) {
	m := &manyTasks{world: newWorld(t, append(store, byDefault)...), where: "SQLite", whole: amount(10_000, 2000), cut: 10_000}
	if len(store) > 0 { // where a server only stands for it, each change reads all tasks
		m.where, m.whole, m.cut = "MongoDB", 400, 400
	}
	m.image = "busybox:latest" // no worker will look for it
	master := idle(t, "master", m.Master)
	if m.where == "SQLite" {
		single := m.single(t)
		master = idle(t, "master", m.Master)
		m.wholeBatch(t, single)
		m.wholeCancel(t, single)
		master.look(t, m.Master)
	}
	m.cutBatch(t)
	master.look(t, m.Master)
	if m.where == "SQLite" {
		m.cutCancel(t)
		master.look(t, m.Master)
	}
	atMost(t, fmt.Sprintf("memory of the master (idle %v) grows during calls about %d tasks on %s by", mebibytes(master.level), m.cut, m.where),
		mebibytes(master.rise), manyMemory)
}

// manyTasks is a master that is asked for many tasks at once.
type manyTasks struct {
	*world
	where string
	each  time.Duration // of those submitted one by one
	whole int           // submitted and cancelled at once, undisturbed
	cut   int           // the same, and the master is killed
	group string        // the names of those begin so
}

const (
	batchPath  = "/api/tasks/batch"
	cancelPath = "/api/tasks/cancel"
)

// batchOf are tasks named by their group, that no worker will take.
func batchOf(group string, tasks int) string {
	var r client.BatchRequest
	for n := range tasks {
		r.Tasks = append(r.Tasks, client.TaskRequest{DockerImage: "busybox", Args: []string{"echo", fmt.Sprint(n)}, Name: fmt.Sprintf("%s-%d", group, n)})
	}
	b, _ := json.Marshal(r) // of strings
	return string(b)
}

func cancelOf(group string) string { return fmt.Sprintf(`{"filter":{"name":%q}}`, group) }

// single submits some tasks one by one, for comparison, and gives one of them.
func (m *manyTasks) single(t *testing.T) (id string) {
	t.Helper()
	const n = 100
	began := time.Now()
	for range n {
		id = m.submit(t, m.small("true"))
	}
	m.each = time.Since(began) / n
	m.stopAll(t)
	return id
}

// stopAll cancels what is there.
func (m *manyTasks) stopAll(t *testing.T) {
	t.Helper()
	m.mustPost(t, cancelPath, fmt.Sprint("all at ", time.Now().UnixNano()), `{"filter":{}}`)
}

// wholeBatch submits a batch that nothing disturbs, twice.
func (m *manyTasks) wholeBatch(t *testing.T, other string) {
	t.Helper()
	body, before := batchOf("whole", m.whole), m.counted(t, "queued")
	beside := m.beside(t, other)
	began := time.Now()
	first := m.mustPost(t, batchPath, "whole", body)
	took := time.Since(began)
	m.figures(t, "batch", took, beside(t))
	ids := batchIDs(t, first, m.whole)
	if again := m.mustPost(t, batchPath, "whole", body); again != first {
		t.Errorf("a repeat was answered %d: %.200s", again.status, again.body)
	}
	if n := m.counted(t, "queued") - before; n != len(ids) {
		t.Errorf("%d tasks, %d ids", n, len(ids))
	}
	each := took / time.Duration(m.whole) // many at once are cheaper than as many one by one
	atMost(t, fmt.Sprintf("a task of a batch, of a single submit's %v", m.each.Round(time.Microsecond)), each.Round(time.Microsecond), m.each)
}

// wholeCancel cancels the same tasks.
func (m *manyTasks) wholeCancel(t *testing.T, other string) {
	t.Helper()
	beside := m.beside(t, other)
	began := time.Now()
	last := m.mustPost(t, cancelPath, "c-whole", cancelOf("whole-"))
	m.figures(t, "cancel", time.Since(began), beside(t))
	if got := cancelReply(t, last); got.Cancelled != m.whole || got.Matched != m.whole {
		t.Errorf("%+v of %d tasks", got, m.whole)
	}
	if left := m.counted(t, "queued"); left != 0 {
		t.Errorf("%d tasks are left", left)
	}
}

// cutTries is how often the call is made, should it end before the kill comes.
const cutTries = 2

// cutBatch has the master killed in the midst of a batch.
func (m *manyTasks) cutBatch(t *testing.T) {
	t.Helper()
	var body string
	var partial []string
	for try := range cutTries {
		m.group = fmt.Sprint("cut", try)
		body = batchOf(m.group, m.cut)
		before := m.counted(t, "queued")
		m.killAmid(t, batchPath, m.group, body, func() bool { return m.counted(t, "queued")-before >= m.cut/4 })
		if partial = m.idsOf(t, m.group); len(partial) < m.cut {
			break
		}
	}
	if len(partial) == 0 || len(partial) >= m.cut {
		t.Errorf("%d of %d tasks were stored before the kill: it was not in the midst", len(partial), m.cut)
	}
	first := m.mustPost(t, batchPath, m.group, body)
	ids := batchIDs(t, first, m.cut)
	for _, id := range partial {
		if _, found := slices.BinarySearch(ids, id); !found {
			t.Fatalf("task %s of before the kill is not in the reply", id)
		}
	}
	if all := m.idsOf(t, m.group); !slices.Equal(all, ids) {
		t.Fatalf("%d tasks are there, not the %d of the reply", len(all), len(ids))
	}
	if again := m.mustPost(t, batchPath, m.group, body); again != first {
		t.Errorf("a repeat was answered %d: %.200s", again.status, again.body)
	}
	t.Logf("%d of %d tasks were stored before the kill", len(partial), m.cut)
}

// cutCancel has the master killed in the midst of a cancel of the same tasks. The
// repeat stops the rest and counts all of them; what is submitted between the kill
// and the repeat stays.
func (m *manyTasks) cutCancel(t *testing.T) {
	t.Helper()
	before, others := m.counted(t, "cancelled"), m.counted(t, "queued")-m.cut
	m.killAmid(t, cancelPath, "c-cut", cancelOf(m.group+"-"), func() bool { return m.counted(t, "cancelled")-before >= m.cut/4 })
	left := m.counted(t, "queued") - others
	if left == 0 || left == m.cut {
		t.Errorf("%d of %d tasks were left by the kill: it was not in the midst", left, m.cut)
	}
	between := m.mustPost(t, "/api/tasks", "between", fmt.Sprintf(`{"docker_image":"busybox","name":%q}`, m.group+"-between"))
	if r, err := m.post(t.Context(), cancelPath, "c-cut", cancelOf(m.group)); err != nil || r.status != http.StatusUnprocessableEntity {
		t.Errorf("another request with the key: %+v, %v", r, err)
	}
	first := m.mustPost(t, cancelPath, "c-cut", cancelOf(m.group+"-"))
	if whole := cancelReply(t, first); whole.Cancelled != m.cut || whole.Matched != m.cut {
		t.Errorf("%+v of %d tasks", whole, m.cut)
	}
	if now := m.counted(t, "cancelled"); now-before != m.cut || m.counted(t, "queued") != others+1 {
		t.Errorf("%d of %d tasks are cancelled", now-before, m.cut)
	}
	must(t, m.Master.Kill())
	must(t, m.StartMaster(t.Context()))
	later := m.mustPost(t, "/api/tasks", "later", fmt.Sprintf(`{"docker_image":"busybox","name":%q}`, m.group+"-later"))
	if again := m.mustPost(t, cancelPath, "c-cut", cancelOf(m.group+"-")); again != first {
		t.Errorf("a repeat after another kill: %+v, not %+v", again, first)
	}
	for _, r := range []reply{between, later} {
		if task := m.task(t, strings.TrimPrefix(r.location, "/api/tasks/")); task.Status != "queued" {
			t.Errorf("a repeat has stopped what came later: %s", describe(task))
		}
	}
	t.Logf("%d of %d tasks were left by the kill", left, m.cut)
	m.stopAll(t)
}

// killAmid sends a request and kills the master once it has got so far.
func (m *manyTasks) killAmid(t *testing.T, path, key, body string, far func() bool) {
	t.Helper()
	var group sync.WaitGroup
	group.Go(func() { _, _ = m.post(t.Context(), path, key, body) }) // cut off, or too fast: that shows in the tasks
	for limit := time.Now().Add(verdict); !far(); {                  // without a pause: the rest of the call takes a moment only
		if time.Now().After(limit) {
			t.Fatal("the call has not got so far")
		}
	}
	must(t, m.Master.Kill())
	group.Wait()
	must(t, m.StartMaster(t.Context()))
}

// counted is how many tasks have a status.
func (m *manyTasks) counted(t *testing.T, status string) int {
	t.Helper()
	about, err := m.API().Cluster(t.Context())
	must(t, err)
	return about.Tasks[status]
}

// idsOf are the tasks of a group, in ascending order.
func (m *manyTasks) idsOf(t *testing.T, group string) (ids []string) {
	t.Helper()
	query := client.TaskQuery{Name: group + "-"}
	for cursor := ""; ; {
		page, err := m.API().TaskPage(t.Context(), query, 1000, cursor)
		must(t, err)
		for _, task := range page.Items {
			ids = append(ids, task.TaskID)
		}
		if cursor = page.NextCursor; cursor == "" {
			slices.Sort(ids)
			return ids
		}
	}
}

// batchIDs are the ids of a batch's reply, all of them, each once.
func batchIDs(t *testing.T, r reply, tasks int) (ids []string) {
	t.Helper()
	var got client.BatchReply
	if r.status != http.StatusOK || json.Unmarshal([]byte(r.body), &got) != nil {
		t.Fatalf("%d: %.300s", r.status, r.body)
	}
	for _, item := range got.Items {
		ids = append(ids, item.TaskID)
	}
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) != tasks || got.Accepted != tasks {
		t.Fatalf("%d ids, %d accepted, of %d tasks", len(ids), got.Accepted, tasks)
	}
	return ids
}

func cancelReply(t *testing.T, r reply) (got client.CancelReply) {
	t.Helper()
	if r.status != http.StatusOK || json.Unmarshal([]byte(r.body), &got) != nil {
		t.Fatalf("%d: %.300s", r.status, r.body)
	}
	return got
}

// beside asks for a task again and again until it is called, and gives the 99th
// percentile of the answers.
func (m *manyTasks) beside(t *testing.T, id string) func(*testing.T) time.Duration {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var took []time.Duration
	var failed error
	var group sync.WaitGroup
	group.Go(func() {
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			began := time.Now()
			_, err := m.API().Task(ctx, id)
			if ctx.Err() != nil {
				return
			}
			took, failed = append(took, time.Since(began)), errors.Join(failed, err)
			<-tick.C
		}
	})
	return func(t *testing.T) time.Duration {
		t.Helper()
		stop()
		group.Wait()
		must(t, failed)
		slices.Sort(took)
		return took[len(took)*99/100]
	}
}

// figures notes what a call took, and what others had of it.
func (m *manyTasks) figures(t *testing.T, call string, took, beside time.Duration) {
	t.Helper()
	what := fmt.Sprintf("%s of %d tasks on %s", call, m.whole, m.where)
	measured.row(what, milliseconds(took), "")
	atMost(t, "99th percentile of a GET beside a "+what, milliseconds(beside), manyBeside)
}
