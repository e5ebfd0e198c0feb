package embedded

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// Dump implements db.Portable.
func (s *Store) Dump(ctx context.Context, yield func(db.Record) error) error {
	err := s.query(ctx, `SELECT `+metaColumns+` FROM meta WHERE name <> ? ORDER BY name`, []any{db.FillingName}, func(rows *sql.Rows) error {
		m, err := scanMeta(rows)
		if err != nil {
			return err
		}
		return yield(db.Record{Meta: &m})
	})
	if err != nil {
		return err
	}
	users, err := s.users(ctx, "ORDER BY id")
	if err != nil {
		return err
	}
	tokens, err := s.tokens(ctx, "WHERE ? = '' ORDER BY id", "")
	if err != nil {
		return err
	}
	for i := range users {
		if err := yield(db.Record{User: &users[i]}); err != nil {
			return err
		}
	}
	for i := range tokens {
		if err := yield(db.Record{Token: &tokens[i]}); err != nil {
			return err
		}
	}
	return s.dumpRest(ctx, yield)
}

func (s *Store) dumpRest(ctx context.Context, yield func(db.Record) error) error {
	err := s.query(ctx, `SELECT `+endedColumns+` FROM ended_sessions ORDER BY id`, nil, func(rows *sql.Rows) error {
		e, err := scanEnded(rows)
		if err != nil {
			return err
		}
		return yield(db.Record{Ended: &e})
	})
	if err != nil {
		return err
	}
	workers, err := s.ListWorkers(ctx)
	if err != nil {
		return err
	}
	for i := range workers {
		if err := yield(db.Record{Worker: &workers[i]}); err != nil {
			return err
		}
	}
	err = s.query(ctx, `SELECT `+auditColumns+` FROM audit ORDER BY seq`, nil, func(rows *sql.Rows) error {
		e, err := scanAudit(rows)
		if err != nil {
			return err
		}
		return yield(db.Record{Audit: &e})
	})
	if err != nil {
		return err
	}
	err = s.query(ctx, `SELECT `+keyColumns+` FROM keys WHERE task_id = '' ORDER BY user_id, route, key`, nil, func(rows *sql.Rows) error {
		k, err := scanKey(rows)
		if err != nil {
			return err
		}
		return yield(db.Record{Key: &k})
	})
	if err != nil {
		return err
	}
	pool, err := s.readPool(ctx)
	if err != nil {
		return err
	}
	conn, err := pool.db.Conn(ctx)
	if err == nil {
		err = errors.Join(dumpTasks(ctx, conn, yield), conn.Close())
	}
	return s.explain(err)
}

// dumpTasks reads tasks and the tables beside them side by side, all in the
// order of the task's id.
func dumpTasks(ctx context.Context, conn *sql.Conn, yield func(db.Record) error) (err error) {
	rows, err := conn.QueryContext(ctx, `SELECT `+taskColumns+` FROM tasks t ORDER BY t.id`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	beside, err := openBeside(ctx, conn)
	defer func() { err = errors.Join(err, beside.close()) }()
	if err != nil {
		return err
	}
	for rows.Next() {
		t, err := scanTask(rows)
		if err != nil {
			return err
		}
		r := &db.TaskRecord{Task: t}
		if err := beside.fill(r); err != nil {
			return err
		}
		if err := yield(db.Record{Task: r}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// beside are the tables that hold rows of tasks.
type beside struct {
	assignments follower[db.Assignment]
	results     follower[db.Result]
	files       follower[fileRow]
	keys        follower[db.Key]
}

// fileRow is one file and whose it is.
type fileRow struct {
	task    cluster.TaskID
	attempt int
	file    cluster.File
}

func openBeside(ctx context.Context, conn *sql.Conn) (*beside, error) {
	b := &beside{}
	return b, errors.Join(
		b.assignments.open(ctx, conn, `SELECT `+assignmentColumns+` FROM assignments ORDER BY task_id, attempt`,
			scanAssignment, func(a db.Assignment) cluster.TaskID { return a.Ref.TaskID }),
		b.results.open(ctx, conn, `SELECT task_id, attempt, sum, doc FROM results ORDER BY task_id, attempt`,
			scanResult, func(r db.Result) cluster.TaskID { return r.Ref.TaskID }),
		b.files.open(ctx, conn, `SELECT `+fileColumns+` FROM file_metadata ORDER BY task_id, attempt, path`,
			scanFile, func(f fileRow) cluster.TaskID { return f.task }),
		b.keys.open(ctx, conn, `SELECT `+keyColumns+` FROM keys ORDER BY task_id, user_id, route, key`,
			scanKey, func(k db.Key) cluster.TaskID { return k.TaskID }),
	)
}

func (b *beside) close() error {
	return errors.Join(b.assignments.close(), b.results.close(), b.files.close(), b.keys.close())
}

// fill adds what belongs to the record's task.
func (b *beside) fill(r *db.TaskRecord) (err error) {
	if r.Assignments, err = b.assignments.of(r.Task.ID); err != nil {
		return err
	}
	if r.Results, err = b.results.of(r.Task.ID); err != nil {
		return err
	}
	if r.Keys, err = b.keys.of(r.Task.ID); err != nil {
		return err
	}
	files, err := b.files.of(r.Task.ID)
	for _, f := range files {
		if n := len(r.Files); n == 0 || r.Files[n-1].Attempt != f.attempt {
			r.Files = append(r.Files, db.PublishedAt{Attempt: f.attempt})
		}
		last := &r.Files[len(r.Files)-1]
		last.Files = append(last.Files, f.file)
	}
	return err
}

// follower reads a table in the order of its tasks, one row ahead.
type follower[Row any] struct {
	rows *sql.Rows
	scan func(*sql.Rows) (Row, error)
	task func(Row) cluster.TaskID
	next Row
	has  bool
}

func (f *follower[Row]) open(ctx context.Context, conn *sql.Conn, query string, scan func(*sql.Rows) (Row, error), task func(Row) cluster.TaskID) (err error) {
	f.scan, f.task = scan, task
	rows, err := conn.QueryContext(ctx, query) //nolint:rowserrcheck // close and advance do
	if err != nil {
		return err
	}
	f.rows = rows
	return f.advance()
}

func (f *follower[Row]) advance() (err error) {
	if f.has = f.rows.Next(); !f.has {
		return f.rows.Err()
	}
	f.next, err = f.scan(f.rows)
	return err
}

// of gives the rows of a task; tasks are asked for in ascending order. Rows of
// no task are passed over.
func (f *follower[Row]) of(id cluster.TaskID) (list []Row, err error) {
	for f.has {
		switch order := strings.Compare(string(f.task(f.next)), string(id)); {
		case order > 0:
			return list, nil
		case order == 0:
			list = append(list, f.next)
		}
		if err := f.advance(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (f *follower[Row]) close() error {
	if f.rows == nil {
		return nil
	}
	return f.rows.Close()
}

const assignmentColumns = `task_id, attempt, lease, worker_id, assigned_at, sum`

func scanAssignment(rows *sql.Rows) (a db.Assignment, err error) {
	var at, sum int64
	if err := rows.Scan(&a.Ref.TaskID, &a.Ref.Attempt, &a.Ref.Lease, &a.WorkerID, &at, &sum); err != nil {
		return a, err
	}
	a.AssignedAt = document.FromNanos(at)
	return a, document.Matches(sum, document.AssignmentSum(&a), "assignments", string(a.Ref.TaskID), strconv.Itoa(a.Ref.Attempt))
}

func scanResult(rows *sql.Rows) (db.Result, error) {
	var id string
	var attempt, sum int64
	var doc sql.RawBytes
	if err := rows.Scan(&id, &attempt, &sum, &doc); err != nil {
		return db.Result{}, err
	}
	return document.DecodeResult(id, attempt, sum, doc)
}

const fileColumns = `task_id, attempt, path, size, sha256, content_type, sum`

func scanFile(rows *sql.Rows) (f fileRow, err error) {
	var sum int64
	if err := rows.Scan(&f.task, &f.attempt, &f.file.Path, &f.file.Size, &f.file.SHA256, &f.file.ContentType, &sum); err != nil {
		return f, err
	}
	if document.FileSum(string(f.task), f.attempt, f.file) != sum {
		err = document.Damaged("file_metadata", string(f.task)+"/"+f.file.Path, "checksum does not match")
	}
	return f, err
}

const keyColumns = `user_id, route, key, print, task_id, stored_at, expires_at, sum, reply`

func scanKey(rows *sql.Rows) (k db.Key, err error) {
	var stored, expires, sum int64
	if err := rows.Scan(&k.Name.UserID, &k.Name.Route, &k.Name.Key, &k.Print, &k.TaskID, &stored, &expires, &sum, &k.Reply); err != nil {
		return k, err
	}
	k.StoredAt, k.ExpiresAt = document.FromNanos(stored), document.FromNanos(expires)
	if document.KeySum(&k) != sum {
		err = document.Damaged("keys", string(k.Name.UserID)+" "+k.Name.Route+" "+k.Name.Key, "checksum does not match")
	}
	return k, err
}
