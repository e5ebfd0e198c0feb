package mongodb

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// taskRow is one task. The document holds all of it; the other fields are what
// lists filter by, and what makes the write whole.
type taskRow struct {
	ID         string        `bson:"_id"`
	Version    int64         `bson:"version"`
	Epoch      int64         `bson:"epoch"` // of the master that wrote it last
	Write      bson.ObjectID `bson:"write"` // that write
	Rows       []rowRef      `bson:"rows"`  // of other collections that count
	Status     string        `bson:"status"`
	UserID     string        `bson:"user_id"`
	WorkerID   string        `bson:"worker_id"` // of the present, else the last attempt
	Failure    string        `bson:"failure"`
	Name       string        `bson:"name"`
	Labels     []string      `bson:"labels"`      // see labelPair
	Search     []string      `bson:"search"`      // lower case
	FilesShown bool          `bson:"files_shown"` // listed under files
	CreatedAt  int64         `bson:"created_at"`  // nanoseconds since 1970
	Sum        int64         `bson:"sum"`         // of id, version, document and rows
	Doc        string        `bson:"doc"`         // JSON, see package document
	Gone       bool          `bson:"gone,omitempty"`
	Noted      int64         `bson:"noted,omitempty"` // see noteRow
	Notes      []noteRow     `bson:"notes,omitempty"`
}

// What a rowRef refers to.
const (
	kindAssignment = "assignment"
	kindResult     = "result"
	kindFiles      = "files"
	kindKey        = "key"
)

// rowRef names rows of another collection that belong to the task. They are
// written before the task and count only while it names their write: so all of
// a db.Write comes into force with the one row of its task.
type rowRef struct {
	Kind    string        `bson:"kind"`
	Attempt int           `bson:"attempt"`
	Write   bson.ObjectID `bson:"write"`
}

// refOf finds the reference to an attempt's rows.
func refOf(rows []rowRef, kind string, attempt int) (bson.ObjectID, bool) {
	i := slices.IndexFunc(rows, func(r rowRef) bool { return r.Kind == kind && r.Attempt == attempt })
	if i < 0 {
		return bson.ObjectID{}, false
	}
	return rows[i].Write, true
}

// taskWrite is one db.Write, encoded by its caller so that the writer only
// writes.
type taskWrite struct {
	w      db.Write
	id     bson.ObjectID
	doc    []byte
	result []byte // of w.Result
	note   []byte // of w.Audit
}

// maxDocument leaves room below the 16 MiB that the server takes as one row.
const maxDocument = 14 << 20

func newTaskWrite(w db.Write) (*taskWrite, error) {
	err := w.Check()
	if err != nil {
		return nil, err
	}
	c := &taskWrite{w: w, id: bson.NewObjectID()}
	if c.doc, err = document.EncodeTask(&w.Task); err != nil {
		return nil, err
	}
	if w.Result != nil {
		if c.result, err = document.EncodeResult(w.Result); err != nil {
			return nil, err
		}
	}
	if w.Audit != nil {
		row, err := document.EncodeAudit(w.Audit)
		if err != nil {
			return nil, err
		}
		c.note = row.Doc
	}
	if n := max(len(c.doc), len(c.result), len(c.note)); n > maxDocument {
		return nil, fmt.Errorf("%w: task %s takes %d bytes, a row of the database holds %d", cluster.ErrInvalid, w.Task.ID, n, maxDocument)
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
		changes, places = append(changes, change{task: c}), append(places, i)
	}
	for i, err := range s.queue.ChangeAll(ctx, changes) {
		errs[places[i]] = err
	}
	return errs
}

// row is the task's row as this write leaves it.
func (c *taskWrite) row(epoch int64, refs []rowRef) taskRow {
	t := &c.w.Task
	return taskRow{
		ID: string(t.ID), Version: t.Version, Epoch: epoch, Write: c.id, Rows: refs,
		Status: string(t.Status()), UserID: string(t.UserID), WorkerID: string(db.LastWorker(*t)), Failure: string(t.Failure),
		Name: t.Spec.Name, Labels: labelPairs(t.Spec.Labels), Search: searched(t), FilesShown: db.ShowsFiles(*t),
		CreatedAt: document.Nanos(t.CreatedAt), Sum: taskSum(string(t.ID), t.Version, c.doc, refs), Doc: string(c.doc),
	}
}

// refs are the references after this write, and those that it replaces.
func (c *taskWrite) refs(before []rowRef) (after, replaced []rowRef) {
	after = slices.Clone(before)
	set := func(kind string, attempt int) {
		ref := rowRef{kind, attempt, c.id}
		if i := slices.IndexFunc(after, func(r rowRef) bool { return r.Kind == kind && r.Attempt == attempt }); i >= 0 {
			replaced = append(replaced, after[i])
			after[i] = ref
			return
		}
		after = append(after, ref)
	}
	if a := c.w.Assignment; a != nil {
		set(kindAssignment, a.Ref.Attempt)
	}
	if r := c.w.Result; r != nil {
		set(kindResult, r.Ref.Attempt)
	}
	if c.w.Files != nil {
		set(kindFiles, c.w.Task.Files.Attempt)
	}
	if c.w.Key != nil { // several may belong to a task
		after = append(after, rowRef{kindKey, c.w.Task.Attempt, c.id})
	}
	return after, replaced
}

// taskSum is over all that makes the task.
func taskSum(id string, version int64, doc []byte, refs []rowRef) int64 {
	var b strings.Builder
	b.Write(doc)
	for _, r := range refs {
		b.WriteString("\x00" + r.Kind + " " + strconv.Itoa(r.Attempt) + " " + hex.EncodeToString(r.Write[:]))
	}
	return document.Sum(id, version, []byte(b.String()))
}

// task decodes a row after a look at its checksum.
func (r *taskRow) task() (cluster.Task, error) {
	doc := []byte(r.Doc)
	if r.Sum != taskSum(r.ID, r.Version, doc, r.Rows) {
		return cluster.Task{}, document.Damaged("tasks", r.ID, "checksum does not match")
	}
	return document.DecodeTask(r.ID, r.Version, document.Sum(r.ID, r.Version, doc), doc)
}

// labelPair is how one label stands in a row.
func labelPair(key, value string) string { return strconv.Quote(key) + ":" + strconv.Quote(value) }

func labelPairs(labels map[string]string) []string {
	pairs := make([]string, 0, len(labels))
	for k, v := range labels {
		pairs = append(pairs, labelPair(k, v))
	}
	slices.Sort(pairs)
	return pairs
}

// searched is what TaskFilter.Text looks into.
func searched(t *cluster.Task) []string {
	return []string{
		strings.ToLower(t.Spec.Name), strings.ToLower(t.Spec.Image), strings.ToLower(t.Spec.Command), strings.ToLower(string(t.ID)),
	}
}

// taskFields are what task reads of a row.
var taskFields = bson.M{"version": 1, "rows": 1, "sum": 1, "doc": 1, "gone": 1}

// taskRowOf reads one; cluster.ErrNotFound. After a write of unknown outcome it
// waits until that cannot change any more.
func (s *Store) taskRowOf(ctx context.Context, id cluster.TaskID) (taskRow, error) {
	var row taskRow
	if s.doubt.has(place{s.in.tasks, string(id)}) {
		if err := ctx.Err(); err != nil {
			return row, err
		}
		return row, fmt.Errorf("%w: what became of the last write to task %s is not known yet", db.ErrUnavailable, id)
	}
	found, err := s.findOne(ctx, s.in.tasks, bson.M{"_id": string(id)}, &row, options.FindOne().SetProjection(taskFields))
	if err == nil && (!found || row.Gone) {
		err = fmt.Errorf("task %s: %w", id, cluster.ErrNotFound)
	}
	return row, err
}

// Task implements db.Tasks.
func (s *Store) Task(ctx context.Context, id cluster.TaskID) (cluster.Task, error) {
	row, err := s.taskRowOf(ctx, id)
	if err != nil {
		return cluster.Task{}, err
	}
	return row.task()
}

// activeChunk is how many tasks ActiveTasks reads at a time.
const activeChunk = 256

// ActiveTasks implements db.Tasks. It reads the order first and then the tasks
// in portions, so that no read is open while yield runs.
func (s *Store) ActiveTasks(ctx context.Context, yield func(cluster.Task) error) error {
	rows, err := findAll[taskRow](ctx, s, s.in.tasks, bson.M{"status": active, "epoch": bson.M{"$gte": s.base}},
		options.Find().SetProjection(bson.M{"created_at": 1}))
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b taskRow) int {
		if a.CreatedAt != b.CreatedAt {
			return compare(a.CreatedAt, b.CreatedAt)
		}
		return strings.Compare(a.ID, b.ID)
	})
	ids := make([]cluster.TaskID, len(rows))
	for i, row := range rows {
		ids[i] = cluster.TaskID(row.ID)
	}
	for chunk := range slices.Chunk(ids, activeChunk) {
		if err := s.yieldTasks(ctx, chunk, yield); err != nil {
			return err
		}
	}
	return nil
}

func compare(a, b int64) int {
	if a < b {
		return -1
	}
	return 1
}

// yieldTasks reads tasks and yields those still active in the order given.
func (s *Store) yieldTasks(ctx context.Context, ids []cluster.TaskID, yield func(cluster.Task) error) error {
	rows, err := findAll[taskRow](ctx, s, s.in.tasks, among(ids), options.Find().SetProjection(taskFields))
	if err != nil {
		return err
	}
	byID := make(map[string]*taskRow, len(rows))
	for i := range rows {
		byID[rows[i].ID] = &rows[i]
	}
	for _, id := range ids {
		row := byID[string(id)]
		if row == nil || row.Gone {
			continue
		}
		t, err := row.task()
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && !t.Terminal() {
			err = yield(t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// decodeTasks decodes rows until the first that is damaged.
func decodeTasks(rows []taskRow) ([]cluster.Task, error) {
	tasks := make([]cluster.Task, 0, len(rows))
	for i := range rows {
		t, err := rows[i].task()
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, t)
	}
	return tasks, nil
}
