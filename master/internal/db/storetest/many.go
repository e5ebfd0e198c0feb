package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// manyUsers share the tasks of testManyTasks; each has the same number of them
// in each status.
var manyUsers = []cluster.UserID{"u1", "u2", "u3", "u4"}

// manyTask is the n-th; several have the same time.
func manyTask(n int) cluster.Task {
	task := queued(fmt.Sprintf("t%06d", n), minute(n/5))
	task.UserID = manyUsers[n%4]
	task.Spec.Name = fmt.Sprintf("name-%02d", n%100)
	switch n / 4 % 5 {
	case 1:
		return assigned(task, "w1", task.CreatedAt)
	case 2:
		return failed(assigned(task, "w2", task.CreatedAt), cluster.FailureExit, task.CreatedAt)
	case 3, 4:
		return succeeded(running(assigned(task, "w3", task.CreatedAt), task.CreatedAt), cluster.FilesSummary{}, task.CreatedAt)
	}
	return task
}

// testManyTasks has as many tasks as a busy year: lists are whole and in order,
// counts right, and a start finds what is active.
func testManyTasks(t *testing.T, b Backend) {
	s := b.Open(t)
	n := amount(b, 100_000, 2_000)
	if raceDetector {
		n = min(n, 5_000)
	}
	var writers sync.WaitGroup
	const portion = 500
	for first := range 4 {
		writers.Go(func() {
			for at := first * portion; at < n; at += 4 * portion {
				var writes []db.Write
				for i := at; i < min(at+portion, n); i++ {
					writes = append(writes, insert(manyTask(i)))
				}
				for _, err := range s.Commit(t.Context(), writes) {
					if err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	writers.Wait()
	if amount(b, 1, 0) > 0 {
		isErr(t, "close", s.Close(), nil)
		s = b.Open(t)
	}

	counts, err := s.CountTasks(t.Context(), cluster.TaskFilter{UserID: "u2"})
	isErr(t, "counts", err, nil)
	same(t, "counts of one user", counts, map[cluster.Status]int{
		"queued": n / 20, "assigned": n / 20, "failed": n / 20, "succeeded": n / 10, "running": 0, "cancelled": 0,
	})
	checkOrder(t, "all", readAll(t, s, cluster.TaskFilter{}, 1000), n)
	narrow := cluster.TaskFilter{UserID: "u3", Statuses: []cluster.Status{"failed", "succeeded"}, NamePrefix: "name-1"}
	// Of 100 names ten begin so; of the numbers 10 to 19 the user has 10, 14 and
	// 18, which are failed, succeeded and succeeded.
	checkOrder(t, "a narrow filter", readAll(t, s, narrow, amount(b, 50, 45)), n/100*3)
	active := 0
	err = s.ActiveTasks(t.Context(), func(cluster.Task) error {
		active++
		return nil
	})
	if err != nil || active != n*2/5 {
		t.Errorf("%d active tasks, %v; want %d", active, err, n*2/5)
	}
}

func readAll(t testing.TB, s db.Store, filter cluster.TaskFilter, limit int) []cluster.Task {
	t.Helper()
	return pages(t, limit, func(ctx context.Context, p cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
		return s.ListTasks(ctx, filter, p)
	})
}

// checkOrder wants that many tasks, each once, newest first.
func checkOrder(t testing.TB, what string, tasks []cluster.Task, want int) {
	t.Helper()
	if len(tasks) != want {
		t.Errorf("%s: %d tasks, want %d", what, len(tasks), want)
	}
	for i := 1; i < len(tasks); i++ {
		if newestFirst(taskCursor(tasks[i-1]), taskCursor(tasks[i])) >= 0 {
			t.Errorf("%s: task %s stands before %s", what, tasks[i-1].ID, tasks[i].ID)
			return
		}
	}
}
