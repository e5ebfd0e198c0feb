package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// matches is the meaning of a TaskFilter.
func matches(f cluster.TaskFilter, t cluster.Task) bool {
	for k, v := range f.Labels {
		if got, ok := t.Spec.Labels[k]; !ok || got != v {
			return false
		}
	}
	return (len(f.Statuses) == 0 || slices.Contains(f.Statuses, t.Status())) &&
		(f.WorkerID == "" || f.WorkerID == db.LastWorker(t)) &&
		(f.UserID == "" || f.UserID == t.UserID) &&
		strings.HasPrefix(t.Spec.Name, f.NamePrefix) &&
		(f.Failure == "" || f.Failure == t.Failure) &&
		(f.Since.IsZero() || !t.CreatedAt.Before(f.Since)) &&
		(f.Until.IsZero() || t.CreatedAt.Before(f.Until)) &&
		containsText(t, strings.ToLower(f.Text))
}

func containsText(t cluster.Task, lower string) bool {
	return slices.ContainsFunc([]string{t.Spec.Name, t.Spec.Image, t.Spec.Command, string(t.ID)}, func(s string) bool {
		return strings.Contains(strings.ToLower(s), lower)
	})
}

// newestFirst orders places in a list.
func newestFirst(a, b cluster.Cursor) int { return cluster.NewestFirst.Compare(a, b) }

func taskCursor(t cluster.Task) cluster.Cursor { return cluster.NewestFirst.Place(t) }

// pageOf sorts rows and cuts the page out.
func pageOf[T any](rows []T, at func(T) cluster.Cursor, page cluster.Page) ([]T, cluster.Cursor, error) {
	if page.Limit < 1 {
		return nil, cluster.Cursor{}, fmt.Errorf("%w: limit %d", cluster.ErrInvalid, page.Limit)
	}
	slices.SortFunc(rows, func(a, b T) int { return page.Order.Compare(at(a), at(b)) })
	if !page.After.IsZero() {
		rows = slices.DeleteFunc(rows, func(r T) bool { return page.Order.Compare(at(r), page.After) <= 0 })
	}
	if len(rows) <= page.Limit {
		return rows, cluster.Cursor{}, nil
	}
	rows = rows[:page.Limit]
	return rows, at(rows[page.Limit-1]), nil
}

// ActiveTasks implements db.Tasks.
func (m *Memory) ActiveTasks(ctx context.Context, yield func(cluster.Task) error) error {
	var active []cluster.Task
	err := m.use(ctx, func(d *memoryData) error {
		for _, t := range d.tasks {
			if !t.Terminal() {
				active = append(active, t)
			}
		}
		return nil
	})
	slices.SortFunc(active, func(a, b cluster.Task) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	for i := 0; i < len(active) && err == nil; i++ {
		if err = ctx.Err(); err == nil {
			err = yield(active[i])
		}
	}
	return err
}

// ListTasks implements db.Tasks.
func (m *Memory) ListTasks(ctx context.Context, filter cluster.TaskFilter, page cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
	return m.listTasks(ctx, page, func(t cluster.Task) bool { return matches(filter, t) })
}

func (m *Memory) listTasks(ctx context.Context, page cluster.Page, want func(cluster.Task) bool) (tasks []cluster.Task, next cluster.Cursor, err error) {
	err = m.use(ctx, func(d *memoryData) error {
		var rows []cluster.Task
		for _, t := range d.tasks {
			if want(t) {
				rows = append(rows, t)
			}
		}
		if tasks, next, err = pageOf(rows, page.Order.Place, page); err != nil {
			return err
		}
		size := 0
		for n, t := range tasks {
			if size += t.Spec.Size(); n > 0 && size > db.PageBytes {
				tasks, next = tasks[:n], page.Order.Place(tasks[n-1])
				break
			}
		}
		return nil
	})
	return tasks, next, err
}

// CountTasks implements db.Tasks.
func (m *Memory) CountTasks(ctx context.Context, filter cluster.TaskFilter) (map[cluster.Status]int, error) {
	counts := make(map[cluster.Status]int, len(cluster.Statuses))
	for _, s := range cluster.Statuses {
		counts[s] = 0
	}
	err := m.use(ctx, func(d *memoryData) error {
		for _, t := range d.tasks {
			if matches(filter, t) {
				counts[t.Status()]++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

// TasksWithPrefix implements db.Tasks.
func (m *Memory) TasksWithPrefix(ctx context.Context, prefix string, user cluster.UserID, limit int) ([]cluster.TaskID, error) {
	var ids []cluster.TaskID
	err := m.use(ctx, func(d *memoryData) error {
		for id, t := range d.tasks {
			if strings.HasPrefix(string(id), prefix) && (user == "" || user == t.UserID) {
				ids = append(ids, id)
			}
		}
		return nil
	})
	slices.Sort(ids)
	return ids[:min(len(ids), max(limit, 0))], err
}

// WorkerAttempts implements db.Tasks.
func (m *Memory) WorkerAttempts(ctx context.Context, worker cluster.WorkerID, page cluster.Page) (list []db.Assignment, next cluster.Cursor, err error) {
	// NUL and zeroes in front make text order the order of (task, attempt).
	at := func(a db.Assignment) cluster.Cursor {
		return cluster.Cursor{CreatedAt: a.AssignedAt, ID: fmt.Sprintf("%s\x00%019d", a.Ref.TaskID, a.Ref.Attempt)}
	}
	err = m.use(ctx, func(d *memoryData) error {
		var rows []db.Assignment
		for _, a := range d.assignments {
			if a.WorkerID == worker {
				rows = append(rows, a)
			}
		}
		list, next, err = pageOf(rows, at, page)
		return err
	})
	return list, next, err
}

// TaskResults implements db.Tasks.
func (m *Memory) TaskResults(ctx context.Context, id cluster.TaskID) (list []db.Result, err error) {
	err = m.use(ctx, func(d *memoryData) error {
		for key, r := range d.results {
			if key.task == id {
				list = append(list, r)
			}
		}
		return nil
	})
	slices.SortFunc(list, func(a, b db.Result) int { return cmp.Compare(a.Ref.Attempt, b.Ref.Attempt) })
	return list, err
}

// TaskFiles implements db.Files.
func (m *Memory) TaskFiles(ctx context.Context, id cluster.TaskID) (rows []cluster.File, err error) {
	err = m.use(ctx, func(d *memoryData) error {
		t, found := d.tasks[id]
		if !found {
			return fmt.Errorf("task %s: %w", id, cluster.ErrNotFound)
		}
		if !t.Files.Deleted {
			rows = slices.Clone(d.files[attemptKey{id, t.Files.Attempt}])
		}
		return nil
	})
	return rows, err
}

// ListFiles implements db.Files.
func (m *Memory) ListFiles(ctx context.Context, user cluster.UserID, page cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
	return m.listTasks(ctx, page, func(t cluster.Task) bool {
		return db.ShowsFiles(t) && (user == "" || user == t.UserID)
	})
}
