//go:build engine

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudai/master/client"
)

// reply is what a POST was answered.
type reply struct {
	status   int
	location string
	kind     string // content type
	body     string
	retry    string // Retry-After
}

// post sends a body with a key over the master's socket, as any program would.
func (w *world) post(ctx context.Context, path, key, body string) (reply, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", w.Socket())
	}}
	defer transport.CloseIdleConnections()
	// Without a way to get the body again the transport repeats nothing by itself.
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://master"+path, io.NopCloser(strings.NewReader(body)))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Idempotency-Key", key)
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header.Get("Location"), resp.Header.Get("Content-Type"), string(data), resp.Header.Get("Retry-After")}, err
}

func (w *world) mustPost(t *testing.T, path, key, body string) reply {
	t.Helper()
	got, err := w.post(t.Context(), path, key, body)
	must(t, err)
	return got
}

// named counts the tasks with exactly this name.
func (w *world) named(t *testing.T, name string) (ids []string) {
	t.Helper()
	for task, err := range w.API().Tasks(t.Context(), client.TaskQuery{Name: name}) {
		must(t, err)
		if task.Name == name {
			ids = append(ids, task.TaskID)
		}
	}
	return ids
}

// The master is killed right after it has replied to each call that takes a key:
// the tasks are there once, and the same keys give the same replies and change
// nothing that came later. It is killed at random
// moments in the midst of others: each key has one task at most, those that
// were acknowledged have theirs, and asking again completes the rest.
func TestF01KilledAfterTheReply(t *testing.T) { onEachStore(t, testKilledAfterTheReply) }

func testKilledAfterTheReply(t *testing.T, store ...string) {
	w, rng := newWorld(t, store...), seeded(t)
	w.testEachCallWithAKey(t)

	rounds, senders, most := 5, 6, 60
	if len(store) > 0 {
		rounds, most = 2, 15 // reading is slow where the server only stands for a MongoDB
	}
	type sent struct{ location string } // empty: no answer came
	all := map[string]sent{}
	body := func(key string) string { return fmt.Sprintf(`{"docker_image":"busybox","name":%q}`, key) }
	for round := range rounds {
		var mu sync.Mutex
		var group sync.WaitGroup
		enough := 1 + rng.IntN(most) // acknowledged before the kill
		killed := make(chan struct{})
		acked := 0
		for s := range senders {
			group.Go(func() {
				for n := 0; ; n++ {
					key := fmt.Sprintf("k%d-%d-%d", round, s, n)
					got, err := w.post(t.Context(), "/api/tasks", key, body(key))
					mu.Lock()
					all[key] = sent{got.location}
					if acked++; acked == enough && err == nil {
						close(killed)
					}
					mu.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
		<-killed
		must(t, w.Master.Kill())
		group.Wait()
		must(t, w.StartMaster(t.Context()))
	}
	for key, before := range all {
		ids := w.named(t, key)
		if len(ids) > 1 || before.location != "" && (len(ids) != 1 || before.location != "/api/tasks/"+ids[0]) {
			t.Errorf("key %s: tasks %v, it was answered %q", key, ids, before.location)
		}
		again := w.mustPost(t, "/api/tasks", key, body(key))
		if after := w.named(t, key); again.status != 201 || len(after) != 1 || again.location != "/api/tasks/"+after[0] || len(ids) == 1 && ids[0] != after[0] {
			t.Errorf("key %s: tasks %v, then %v, answered %+v", key, ids, after, again)
		}
	}
	t.Logf("%d keys, %d of them without an answer", len(all), countOf(all, func(s sent) bool { return s.location == "" }))
	w.cancelAll(t)
}

// testEachCallWithAKey sends each, kills the master, and sends each again.
func (w *world) testEachCallWithAKey(t *testing.T) {
	t.Helper()
	const task = `{"docker_image":"busybox","name":%q}`
	first := w.mustPost(t, "/api/tasks", "k0", fmt.Sprintf(task, "first"))
	id := strings.TrimPrefix(first.location, "/api/tasks/")
	_, err := w.API().Cancel(t.Context(), id) // it can be repeated once it is over
	must(t, err)
	calls := []struct {
		path, key, body string
		status          int
		says            string
	}{
		{"/api/tasks", "k0", fmt.Sprintf(task, "first"), 201, `"first"`},
		{"/api/tasks/" + id + "/retry", "k", "", 201, `"retry_of":"` + id},
		{"/api/tasks/batch", "k", fmt.Sprintf(`{"tasks":[`+task+`,`+task+`]}`, "many", "many"), 200, `"accepted":2`},
		{"/api/tasks/cancel", "k", `{"filter":{"name":"many"}}`, 200, `"cancelled":2`},
		{"/api/tasks/cancel", "k2", `{"filter":{"name":"later"}}`, 200, `"matched":0`},
	}
	before := make([]reply, len(calls))
	for i, c := range calls {
		before[i] = w.mustPost(t, c.path, c.key, c.body)
		if before[i].status != c.status || !strings.Contains(before[i].body, c.says) {
			t.Fatalf("%s: %+v", c.path, before[i])
		}
	}
	must(t, w.Master.Kill())
	must(t, w.StartMaster(t.Context()))
	for _, name := range []string{"many", "later"} {
		w.mustPost(t, "/api/tasks", "new "+name, fmt.Sprintf(task, name))
	}
	for i, c := range calls {
		if again := w.mustPost(t, c.path, c.key, c.body); again != before[i] {
			t.Errorf("%s: %+v, and before the crash %+v", c.path, again, before[i])
		}
	}
	if before[0] != first {
		t.Errorf("%+v, at first %+v", before[0], first)
	}
	about, err := w.API().Cluster(t.Context())
	must(t, err)
	for name, want := range map[string]int{"first": 2, "many": 3, "later": 1} {
		if ids := w.named(t, name); len(ids) != want {
			t.Errorf("%d tasks named %s, not %d", len(ids), name, want)
		}
	}
	// The repeat of the first, and what came later; all else was cancelled.
	if about.Tasks["queued"] != 3 || about.Tasks["cancelled"] != 3 {
		t.Errorf("%v", about.Tasks)
	}
}

func countOf[K comparable, V any](m map[K]V, is func(V) bool) (n int) {
	for _, v := range m {
		if is(v) {
			n++
		}
	}
	return n
}

// cancelAll ends what nobody will ever run.
func (w *world) cancelAll(t *testing.T) {
	t.Helper()
	for task, err := range w.API().Tasks(t.Context(), client.TaskQuery{Status: []string{"queued"}}) {
		must(t, err)
		_, err := w.API().Cancel(t.Context(), task.TaskID)
		must(t, err)
	}
}

// A repeat gets the first reply, byte for byte, also when the task has ended
// since; another body is refused.
func TestF02TheFirstReplyAgain(t *testing.T) {
	w := newWorld(t)
	w.fakeWorker(t, "w1")
	const path, body = "/api/tasks", `{"docker_image":"busybox","name":"once","env":{"FAKE_LOG_LINES":"1"}}`
	first := w.mustPost(t, path, "k", body)
	var task client.Task
	must(t, json.Unmarshal([]byte(first.body), &task))
	if first.status != http.StatusCreated || first.location != path+"/"+task.TaskID {
		t.Fatalf("%+v", first)
	}
	w.succeeded(t, task.TaskID)
	for range 3 {
		if again := w.mustPost(t, path, "k", body); again != first {
			t.Errorf("%+v\nthe first reply was %+v", again, first)
		}
	}
	other := w.mustPost(t, path, "k", strings.Replace(body, "once", "twice", 1))
	if other.status != http.StatusUnprocessableEntity || other.kind != "application/problem+json" || !bytes.Contains([]byte(other.body), []byte("Idempotency-Key")) {
		t.Errorf("another body: %+v", other)
	}

	// Many at once: one is carried out, the others hear of it or that it is under
	// way.
	replies := make([]reply, 50)
	var group sync.WaitGroup
	for n := range replies {
		group.Go(func() {
			var err error
			if replies[n], err = w.post(t.Context(), path+"/"+task.TaskID+"/retry", "r", ""); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	final := w.mustPost(t, path+"/"+task.TaskID+"/retry", "r", "")
	for _, got := range replies {
		if got != final && got.status != http.StatusConflict {
			t.Errorf("%+v\nthe last reply was %+v", got, final)
		}
	}
	if ids := w.named(t, "once"); len(ids) != 2 || final.status != http.StatusCreated {
		t.Errorf("tasks %v, the last reply was %+v", ids, final)
	}
	w.succeeded(t, strings.TrimPrefix(final.location, path+"/"))
	must(t, w.Master.Term(15*time.Second))
	must(t, w.StartMaster(t.Context()))
	if again := w.mustPost(t, path, "k", body); again != first {
		t.Errorf("after a restart %+v\nthe first reply was %+v", again, first)
	}
}
