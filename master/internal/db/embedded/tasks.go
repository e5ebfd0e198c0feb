package embedded

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"strconv"
	"sync"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// taskWrite is one db.Write, encoded by its caller so that the writer only
// writes.
type taskWrite struct {
	w      db.Write
	doc    []byte
	result []byte            // of w.Result
	audit  document.AuditRow // of w.Audit, in no place yet
}

func newTaskWrite(w db.Write) (*taskWrite, error) {
	err := w.Check()
	if err != nil {
		return nil, err
	}
	c := &taskWrite{w: w}
	if c.doc, err = document.EncodeTask(&w.Task); err != nil {
		return nil, err
	}
	if w.Result != nil {
		if c.result, err = document.EncodeResult(w.Result); err != nil {
			return nil, err
		}
	}
	if w.Audit != nil {
		if c.audit, err = document.EncodeAudit(w.Audit); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Commit implements db.Tasks.
func (s *Store) Commit(ctx context.Context, writes []db.Write) []error {
	errs := make([]error, len(writes))
	changes := make([]change, 0, len(writes))
	places := make([]int, 0, len(writes)) // of the changes within writes
	for i, w := range writes {
		c, err := newTaskWrite(w)
		if err != nil {
			errs[i] = err
			continue
		}
		changes, places = append(changes, c), append(places, i)
	}
	for i, err := range s.queue.ChangeAll(ctx, changes) {
		errs[places[i]] = err
	}
	return errs
}

const (
	insertTask = `INSERT INTO tasks
(version, status, user_id, worker_id, failure, name, labels, files_attempt, files_shown, search, sum, doc, created_at, id)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`
	updateTask = `UPDATE tasks SET
version = ?, status = ?, user_id = ?, worker_id = ?, failure = ?, name = ?, labels = ?, files_attempt = ?, files_shown = ?,
search = ?, sum = ?, doc = ?, created_at = ? WHERE id = ? AND version = ?`
)

// apply implements change.
func (c *taskWrite) apply(s *session) (answer, failure error) {
	t := &c.w.Task
	if k := c.w.Key; k != nil {
		if taken, err := keyFree(s, k); taken != nil || err != nil {
			return taken, err
		}
	}
	args := taskArgs(t, c.doc)
	query := insertTask
	if c.w.Expect > 0 {
		query, args = updateTask, append(args, c.w.Expect)
	}
	n, err := s.exec(query, args...)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return fmt.Errorf("%w: task %s is not at version %d", db.ErrVersion, t.ID, c.w.Expect), nil
	}
	return nil, c.applyRest(s)
}

// taskArgs are the columns of a task in the order of both statements.
func taskArgs(t *cluster.Task, doc []byte) []any {
	return []any{
		t.Version, string(t.Status()), string(t.UserID), string(db.LastWorker(*t)), string(t.Failure),
		t.Spec.Name, labelsColumn(t.Spec.Labels), filesAttempt(t), document.Flag(db.ShowsFiles(*t)), searchColumn(t),
		document.Sum(string(t.ID), t.Version, doc), doc, document.Nanos(t.CreatedAt), string(t.ID),
	}
}

// applyRest writes what belongs to the change beside the task.
func (c *taskWrite) applyRest(s *session) error {
	if a := c.w.Assignment; a != nil {
		if err := putAssignment(s, a); err != nil {
			return err
		}
	}
	if r := c.w.Result; r != nil {
		if err := putResult(s, r, c.result); err != nil {
			return err
		}
	}
	if k := c.w.Key; k != nil {
		if err := putKey(s, k); err != nil {
			return err
		}
	}
	if c.w.Audit != nil {
		if _, err := (auditAppend{c.audit}).apply(s); err != nil {
			return err
		}
	}
	if c.w.Files != nil {
		return putFiles(s, &c.w.Task, c.w.Files)
	}
	return nil
}

func filesAttempt(t *cluster.Task) int {
	if t.Files.Deleted {
		return 0
	}
	return t.Files.Attempt
}

// taskColumns is what scanTask reads.
const taskColumns = `t.id, t.version, t.sum, t.doc`

func scanTask(rows *sql.Rows) (cluster.Task, error) {
	var id string
	var version, sum int64
	var doc sql.RawBytes
	if err := rows.Scan(&id, &version, &sum, &doc); err != nil {
		return cluster.Task{}, err
	}
	return document.DecodeTask(id, version, sum, doc)
}

// collectTasks adds each row to a list.
func collectTasks(list *[]cluster.Task) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		t, err := scanTask(rows)
		*list = append(*list, t)
		return err
	}
}

// Task implements db.Tasks.
func (s *Store) Task(ctx context.Context, id cluster.TaskID) (cluster.Task, error) {
	var found []cluster.Task
	err := s.query(ctx, `SELECT `+taskColumns+` FROM tasks t WHERE id = ?`, []any{string(id)}, collectTasks(&found))
	switch {
	case err != nil:
		return cluster.Task{}, err
	case len(found) == 0:
		return cluster.Task{}, fmt.Errorf("task %s: %w", id, cluster.ErrNotFound)
	}
	return found[0], nil
}

// activePortion is how many tasks ActiveTasks reads at a time.
const activePortion = 256

// ActiveTasks implements db.Tasks. It reads the order first and then the tasks
// in portions, so that no read waits for yield. Decoding takes most of the time
// and a start waits for it, so the next portions are read meanwhile.
func (s *Store) ActiveTasks(ctx context.Context, yield func(cluster.Task) error) error {
	var seqs []int64
	err := s.query(ctx, `SELECT seq FROM tasks INDEXED BY tasks_by_status
WHERE status IN ('queued', 'assigned', 'running') ORDER BY created_at, id`, nil, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		seqs = append(seqs, seq)
		return err
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer cancel()
	ahead := min(readConns, runtime.GOMAXPROCS(0))
	var coming []chan portion // in order
	for len(seqs) > 0 || len(coming) > 0 {
		for len(seqs) > 0 && len(coming) < ahead {
			n := min(activePortion, len(seqs))
			part, read := seqs[:n], make(chan portion, 1)
			readers.Go(func() { read <- s.readPortion(ctx, part) })
			coming, seqs = append(coming, read), seqs[n:]
		}
		next := <-coming[0]
		coming = coming[1:]
		if err := next.yield(ctx, yield); err != nil {
			return err
		}
	}
	return nil
}

// portion is some of the active tasks, in order.
type portion struct {
	tasks []cluster.Task
	err   error
}

// readPortion reads tasks by row number, in the order of the numbers given.
func (s *Store) readPortion(ctx context.Context, seqs []int64) portion {
	p := portion{tasks: make([]cluster.Task, 0, len(seqs))}
	p.err = s.query(ctx, `SELECT `+taskColumns+` FROM json_each(?) j CROSS JOIN tasks t ON t.seq = j.value ORDER BY j.key`,
		[]any{jsonList(seqs)}, collectTasks(&p.tasks))
	return p
}

// yield hands on those that are still active.
func (p portion) yield(ctx context.Context, yield func(cluster.Task) error) error {
	if p.err != nil {
		return p.err
	}
	for _, t := range p.tasks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if t.Terminal() {
			continue
		}
		if err := yield(t); err != nil {
			return err
		}
	}
	return nil
}

// jsonList writes numbers as a JSON list.
func jsonList(numbers []int64) string {
	b := []byte{'['}
	for i, n := range numbers {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(append(b, ']'))
}
