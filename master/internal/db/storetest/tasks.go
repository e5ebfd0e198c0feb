package storetest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

func testEmpty(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	_, err := s.Task(ctx, "nothing")
	isErr(t, "absent task", err, cluster.ErrNotFound)
	_, err = s.TaskFiles(ctx, "nothing")
	isErr(t, "files of an absent task", err, cluster.ErrNotFound)
	_, err = s.Key(ctx, db.KeyName{})
	isErr(t, "absent key", err, cluster.ErrNotFound)
	_, err = s.UserByID(ctx, "nobody")
	isErr(t, "absent user", err, cluster.ErrNotFound)
	_, err = s.UserByEmail(ctx, "nobody@example.org")
	isErr(t, "absent email", err, cluster.ErrNotFound)
	_, err = s.TokenByHash(ctx, "nothing")
	isErr(t, "absent token", err, cluster.ErrNotFound)
	isErr(t, "deleting an absent worker", s.DeleteWorker(ctx, "none"), nil)
	isErr(t, "deleting an absent user", s.DeleteUser(ctx, "nobody"), nil)
	isErr(t, "deleting an absent token", s.DeleteToken(ctx, "none"), nil)
	if got := listIDs(t, s, cluster.TaskFilter{}, 10); len(got) != 0 {
		t.Errorf("tasks in an empty store: %v", got)
	}
	results, err := s.TaskResults(ctx, "nothing")
	if err != nil || len(results) != 0 {
		t.Errorf("results of an absent task: %v, %v", results, err)
	}
	workers, err := s.ListWorkers(ctx)
	users, err2 := s.ListUsers(ctx)
	if err != nil || err2 != nil || len(workers)+len(users) != 0 {
		t.Errorf("workers %v, users %v, %v, %v", workers, users, err, err2)
	}
	tokens, err := s.ListTokens(ctx, "nobody")
	n, err2 := s.CountUsers(ctx)
	if err != nil || err2 != nil || len(tokens)+n != 0 {
		t.Errorf("tokens %v, %d users, %v, %v", tokens, n, err, err2)
	}
	counts, err := s.CountTasks(ctx, cluster.TaskFilter{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "counts", counts, map[cluster.Status]int{
		"queued": 0, "assigned": 0, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 0,
	})
	if errs := s.Commit(ctx, nil); len(errs) != 0 {
		t.Errorf("an empty commit answers %v", errs)
	}
}

func testRoundTrip(t *testing.T, b Backend) {
	s := b.Open(t)
	plain := queued("plain", base)
	empties := queued("empties", base)
	empties.Spec.Args, empties.Spec.Env, empties.Spec.Labels = []string{}, map[string]string{}, map[string]string{}
	empties.Spec.Constraints, empties.Spec.Inputs = map[string]string{}, []cluster.InputFile{{Path: "a", Content: []byte{}}, {Path: "b"}}
	empties.Attempts, empties.Events, empties.Files.Skipped = []cluster.Attempt{}, []cluster.Event{}, []cluster.SkippedFile{}
	nils := cluster.Task{ID: "nils", State: cluster.StateQueued}
	numbers := queued("numbers", base)
	numbers.Spec.Resources = cluster.Resources{CPU: 0.1 + 0.2, Memory: math.MaxInt64, Storage: math.MinInt64, GPU: -1}
	numbers.Usage = cluster.Usage{CPUSeconds: math.SmallestNonzeroFloat64, MemoryPeak: math.MaxFloat64, LogBytes: 1<<53 + 1}
	zero := 0
	numbers.ExitCode = &zero
	times := queued("times", time.Unix(0, 0).UTC())
	times.StartedAt, times.FinishedAt = time.Unix(0, 1).UTC(), time.Unix(0, -1).UTC()
	times.NotBefore = time.Date(2026, 7, 1, 12, 0, 0, 1, time.FixedZone("east", 7200))
	for _, task := range []cluster.Task{plain, empties, nils, numbers, times} {
		put(t, s, task)
		task.Version = 1
		same(t, string(task.ID), get(t, s, task.ID), task)
	}
	moved := assigned(get(t, s, "plain"), "w1", minute(1))
	must(t, s, update(moved))
	moved.Version = 2
	same(t, "after an update", get(t, s, "plain"), moved)
}

func testEveryField(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	w := Filled[db.Write]()
	w.Expect, w.Task.Version = 0, 1
	w.Assignment.Ref.TaskID, w.Result.Ref.TaskID, w.Key.TaskID = w.Task.ID, w.Task.ID, w.Task.ID
	w.Task.State, w.Task.Files.Deleted = cluster.StateStored, false
	w.Files[1].Path = w.Files[0].Path + "2"
	must(t, s, w)
	worker, user, token := Filled[cluster.Worker](), Filled[cluster.User](), Filled[cluster.APIToken]()
	isErr(t, "worker", s.PutWorker(ctx, worker), nil)
	isErr(t, "user", s.PutUser(ctx, user), nil)
	isErr(t, "token", s.PutToken(ctx, token), nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = b.Open(t)
	same(t, "task", get(t, s, w.Task.ID), w.Task)
	files, err := s.TaskFiles(ctx, w.Task.ID)
	isErr(t, "files", err, nil)
	same(t, "files", files, w.Files)
	results, err := s.TaskResults(ctx, w.Task.ID)
	isErr(t, "results", err, nil)
	same(t, "results", results, []db.Result{*w.Result})
	attempts, _, err := s.WorkerAttempts(ctx, w.Assignment.WorkerID, cluster.Page{Limit: 5})
	isErr(t, "attempts", err, nil)
	same(t, "attempts", attempts, []db.Assignment{*w.Assignment})
	checkKey(t, s, *w.Key)
	workers, err := s.ListWorkers(ctx)
	isErr(t, "workers", err, nil)
	same(t, "workers", workers, []cluster.Worker{worker})
	got, err := s.UserByID(ctx, user.ID)
	isErr(t, "user", err, nil)
	same(t, "user", got, user)
	checkTokens(t, s, token.UserID, token)
	deleted := w.Task
	deleted.Files.Deleted = true
	must(t, s, update(deleted))
	if got := get(t, s, w.Task.ID); !got.Files.Deleted {
		t.Error("Files.Deleted was forgotten")
	}
}

// awkward are strings that trip quoting, matching or encoding.
var awkward = []string{
	"a'b\"c`d", `back\slash`, "percent%under_score", "line\nbreak\r\ttab", "nul\x00inside", "\x00", "ünïcödé Ä", "日本語", "🦫🏽",
	"\u2028\u2029", "<&>", "e\u0301", "\U0010FFFF", "\ufffd", " leading and trailing ", "a/b/../c", "$1 ?1 :x @y", "{\"json\":1}", "a\x1fb\x1e",
	strings.Repeat("long ", 20_000),
}

func testAwkwardStrings(t *testing.T, b Backend) {
	s, ctx := b.Open(t), t.Context()
	for i, text := range awkward {
		task := queued(text, minute(i))
		task.UserID, task.RetryOf = cluster.UserID(text), cluster.TaskID(text)
		task.Spec = cluster.Spec{
			Image: text, Command: text, Args: []string{text, "", text}, Name: text,
			Env: map[string]string{text: text, "": ""}, Labels: map[string]string{text: text},
		}
		task = assigned(task, cluster.WorkerID(text), minute(i))
		task.Message, task.Files.Attempt = text, 1
		w := insert(task)
		w.Assignment = &db.Assignment{Ref: task.Ref(), WorkerID: task.WorkerID, AssignedAt: minute(i)}
		w.Files = []cluster.File{{Path: text, SHA256: text, ContentType: text}}
		must(t, s, w)
		same(t, text, get(t, s, task.ID), w.Task)
		files, err := s.TaskFiles(ctx, task.ID)
		isErr(t, text, err, nil)
		same(t, text, files, w.Files)
		attempts, _, err := s.WorkerAttempts(ctx, task.WorkerID, cluster.Page{Limit: 5})
		isErr(t, text, err, nil)
		same(t, text, attempts, []db.Assignment{*w.Assignment})
		now, err := s.MetaOnce(ctx, text, text)
		if err != nil || now != text {
			t.Errorf("meta %q: %q, %v", text, now, err)
		}
		for name, f := range map[string]cluster.TaskFilter{
			"user": {UserID: task.UserID}, "worker": {WorkerID: task.WorkerID}, "label": {Labels: task.Spec.Labels},
		} {
			same(t, fmt.Sprintf("filter by %s %q", name, text), listIDs(t, s, f, 50), []cluster.TaskID{task.ID})
		}
		for name, f := range map[string]cluster.TaskFilter{"name": {NamePrefix: text}, "text": {Text: text}} {
			if got := listIDs(t, s, f, 50); len(got) == 0 {
				t.Errorf("filter by %s %q finds nothing", name, text)
			}
		}
	}
	if got := listIDs(t, s, cluster.TaskFilter{}, 3); len(got) != len(awkward) {
		t.Errorf("%d of %d tasks listed", len(got), len(awkward))
	}
}

func testDurable(t *testing.T, b Backend) {
	endings := []func(db.Store){func(s db.Store) {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}}
	if c, ok := b.(Crasher); ok {
		endings = append(endings, func(db.Store) { c.Crash(t) })
	}
	var want []cluster.Task
	for round := range 6 {
		s := b.Open(t)
		for i, task := range want {
			same(t, fmt.Sprintf("round %d", round), get(t, s, task.ID), task)
			want[i] = assigned(cluster.Task{ID: task.ID, Attempt: 1, State: cluster.StateQueued, CreatedAt: task.CreatedAt}, "w1", minute(round))
			want[i].Version = task.Version + 1
			must(t, s, db.Write{Task: want[i], Expect: task.Version})
		}
		task := queued(fmt.Sprintf("t%d", round), minute(round))
		put(t, s, task)
		task.Version = 1
		want = append(want, task)
		isErr(t, "worker", s.PutWorker(t.Context(), cluster.Worker{ID: "w", Version: fmt.Sprint(round)}), nil)
		isErr(t, "user", s.PutUser(t.Context(), cluster.User{ID: "u", Generation: int64(round)}), nil)
		isErr(t, "token", s.PutToken(t.Context(), cluster.APIToken{ID: "k", UserID: "u", SecretHash: fmt.Sprint(round)}), nil)
		isErr(t, "session", s.EndSession(t.Context(), fmt.Sprint(round), minute(round+1)), nil)
		endings[round%len(endings)](s)
	}
	s := b.Open(t)
	for _, task := range want {
		same(t, "at the end", get(t, s, task.ID), task)
	}
	workers, err := s.ListWorkers(t.Context())
	isErr(t, "workers", err, nil)
	same(t, "workers", workers, []cluster.Worker{{ID: "w", Version: "5"}})
	users, err := s.ListUsers(t.Context())
	isErr(t, "users", err, nil)
	same(t, "users", users, []cluster.User{{ID: "u", Generation: 5}})
	checkTokens(t, s, "u", cluster.APIToken{ID: "k", UserID: "u", SecretHash: "5"})
	ended, err := s.EndedSessions(t.Context(), minute(4))
	isErr(t, "sessions", err, nil)
	same(t, "sessions", ended, map[string]time.Time{"4": minute(5), "5": minute(6)})
}

func testActive(t *testing.T, b Backend) {
	s := b.Open(t)
	put(t, s,
		queued("c", minute(2)), queued("b", minute(2)), cancelled(queued("x", minute(1)), minute(1)),
		assigned(queued("d", minute(1)), "w1", minute(5)), running(assigned(queued("a", minute(9)), "w1", minute(9)), minute(9)),
		failed(assigned(queued("y", minute(0)), "w1", minute(0)), cluster.FailureOOM, minute(1)),
		queued("old", time.Unix(0, 0)),
	)
	var got []cluster.TaskID
	err := s.ActiveTasks(t.Context(), func(task cluster.Task) error {
		got = append(got, task.ID)
		if _, err := s.Task(t.Context(), task.ID); err != nil { // the store may be used meanwhile
			return err
		}
		return nil
	})
	isErr(t, "active", err, nil)
	same(t, "active", got, []cluster.TaskID{"old", "d", "b", "c", "a"})

	stop, seen := errors.New("enough"), 0
	err = s.ActiveTasks(t.Context(), func(cluster.Task) error {
		if seen++; seen == 2 {
			return stop
		}
		return nil
	})
	if err != stop || seen != 2 { //nolint:errorlint // the very error
		t.Errorf("stopped with %v after %d", err, seen)
	}
}

// testActiveChanging changes tasks while they are read; the many others that
// do not change are all seen, in order.
func testActiveChanging(t *testing.T, b Backend) {
	s := b.Open(t)
	n := amount(b, 600, 270) // more than one portion of any backend
	tasks := make([]cluster.Task, n)
	for i := range tasks {
		tasks[i] = queued(fmt.Sprintf("t%04d", i), minute(i/7))
	}
	put(t, s, tasks...)
	var seen []cluster.TaskID
	err := s.ActiveTasks(t.Context(), func(task cluster.Task) error {
		i := len(seen)
		seen = append(seen, task.ID)
		if i >= amount(b, n/3, 40) {
			return nil
		}
		done := tasks[i]
		done.Version = 1
		must(t, s, update(cancelled(done, minute(500))))
		put(t, s, queued(fmt.Sprintf("new%04d", i), minute(1000)))
		return nil
	})
	isErr(t, "active", err, nil)
	if len(seen) < n {
		t.Fatalf("%d of %d seen", len(seen), n)
	}
	same(t, "seen", seen[:n], taskIDs(tasks))
}
