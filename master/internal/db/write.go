package db

import (
	"fmt"

	"cloudai/master/internal/cluster"
)

// Check reports what is wrong with a write before any backend sees it: ids
// that do not belong together, a version that does not follow, a file named
// twice. It is a cluster.ErrInvalid.
func (w Write) Check() error {
	id := w.Task.ID
	switch {
	case id == "":
		return fmt.Errorf("%w: a task without an id", cluster.ErrInvalid)
	case w.Expect < 0 || w.Task.Version != w.Expect+1:
		return fmt.Errorf("%w: task %s: version %d does not follow %d", cluster.ErrInvalid, id, w.Task.Version, w.Expect)
	case w.Assignment != nil && w.Assignment.Ref.TaskID != id:
		return fmt.Errorf("%w: task %s: assignment of task %s", cluster.ErrInvalid, id, w.Assignment.Ref.TaskID)
	case w.Result != nil && w.Result.Ref.TaskID != id:
		return fmt.Errorf("%w: task %s: result of task %s", cluster.ErrInvalid, id, w.Result.Ref.TaskID)
	case w.Files != nil && w.Task.Files.Attempt == 0:
		return fmt.Errorf("%w: task %s: files of no attempt", cluster.ErrInvalid, id)
	case w.Key != nil && w.Key.TaskID != id:
		return fmt.Errorf("%w: task %s: key of task %s", cluster.ErrInvalid, id, w.Key.TaskID)
	case w.Key != nil && !w.Key.counts():
		return fmt.Errorf("%w: task %s: a key without a name, or that never counts", cluster.ErrInvalid, id)
	}
	if len(w.Files) < 2 {
		return nil
	}
	seen := make(map[string]bool, len(w.Files))
	for _, f := range w.Files {
		if seen[f.Path] {
			return fmt.Errorf("%w: task %s: file %q twice", cluster.ErrInvalid, id, f.Path)
		}
		seen[f.Path] = true
	}
	return nil
}

// LastWorker is the worker of the task's present attempt, else of its last
// one; what a filter by worker looks at.
func LastWorker(t cluster.Task) cluster.WorkerID {
	if t.WorkerID == "" && len(t.Attempts) > 0 {
		return t.Attempts[len(t.Attempts)-1].WorkerID
	}
	return t.WorkerID
}

// ShowsFiles reports whether ListFiles names the task: it is terminal and has
// at least one published file that was not deleted.
func ShowsFiles(t cluster.Task) bool {
	return t.Terminal() && t.Files.Attempt > 0 && t.Files.Count > 0 && !t.Files.Deleted
}
