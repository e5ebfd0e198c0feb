package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// maxPageFindings bounds what is told of damaged pages: one damaged page leads
// to many others.
const maxPageFindings = 20

// Published hears of a task's output files as the store has them.
type Published = func(user cluster.UserID, task cluster.TaskID, files []cluster.File) error

// Check looks through the folder's store, which the caller has locked, and
// reports what is not as it was written. It changes nothing. Published, unless
// it is nil, hears of every task whose files are published. An error is that it
// could not look.
func Check(ctx context.Context, dir string, report func(db.Finding), published Published) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, fileName)
	wal, err := inspectWAL(path + "-wal")
	if err != nil {
		return err
	}
	for _, f := range wal.findings(path + "-wal") {
		report(f)
	}
	c := &checker{path: path, report: report, published: published}
	return c.run(ctx, wal.size > 0)
}

// checker looks through one file.
type checker struct {
	path      string
	conn      *sql.Conn
	report    func(db.Finding)
	published Published
}

// run opens the file so that not a byte of it or of its log changes. The index
// of the log, which only says where in it a page is, is made for that and goes
// again.
func (c *checker) run(ctx context.Context, hasLog bool) (err error) {
	q := url.Values{"mode": {"ro"}}
	if !hasLog {
		q.Set("immutable", "1")
	} else if _, err := os.Stat(c.path + "-shm"); errors.Is(err, fs.ErrNotExist) {
		defer func() {
			if gone := os.Remove(c.path + "-shm"); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}()
	}
	pool, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: c.path, RawQuery: q.Encode()}).String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	if c.conn, err = pool.Conn(ctx); err != nil {
		return c.damage("", err)
	}
	defer func() { err = errors.Join(err, c.conn.Close()) }()
	version, err := schemaVersion(ctx, c.conn)
	if err != nil {
		return c.damage("byte 0", err)
	}
	steps := []func(context.Context) error{c.pages, c.schema, c.rows, c.counts, c.references, c.eachPublished}
	if version < len(migrations) {
		c.report(db.Finding{File: c.path, What: fmt.Sprintf(
			"its schema is %d, this program's %d: the next start brings it forward, and only then its rows are looked through", version, len(migrations)), Leftover: true})
		steps = steps[:1]
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// damage reports an error that says what is wrong with the file, and gives back
// one that says why nobody could look.
func (c *checker) damage(place string, err error) error {
	err = explainAt(c.path, err)
	if err == nil || !errors.Is(err, db.ErrDamaged) {
		return err
	}
	c.report(db.Finding{File: c.path, Place: place, What: err.Error()})
	return nil
}

// pages has SQLite look through the whole file.
func (c *checker) pages(ctx context.Context) error {
	rows, err := c.conn.QueryContext(ctx, fmt.Sprintf("PRAGMA integrity_check(%d)", maxPageFindings))
	if err != nil {
		return c.damage("", err)
	}
	return c.damage("", scanAll(rows, func(rows *sql.Rows) error {
		var verdict string
		if err := rows.Scan(&verdict); err != nil || verdict == "ok" {
			return err
		}
		c.report(db.Finding{File: c.path, Place: "pages", What: verdict})
		return nil
	}))
}

func (c *checker) schema(ctx context.Context) error {
	return c.damage("schema", checkSchema(ctx, c.conn, c.path))
}

// rows looks at the checksum of each row that has one.
func (c *checker) rows(ctx context.Context) error {
	for _, table := range checkedTables {
		err := eachDamagedRow(ctx, c.conn, table, func(err error) {
			c.report(db.Finding{File: c.path, Place: "table " + table.name, What: err.Error()})
		})
		if err := c.damage("table "+table.name, err); err != nil {
			return err
		}
	}
	return nil
}

// counts compares the kept counts with the tasks.
func (c *checker) counts(ctx context.Context) error {
	wrong, err := wrongCounts(ctx, c.conn)
	if err == nil && wrong > 0 {
		c.report(db.Finding{File: c.path, Place: "table task_counts", What: fmt.Sprintf(
			"%d counts of tasks are not those of the tasks; a start makes them anew while the file is at most %d MiB", wrong, maxFullCheck>>20)})
	}
	return c.damage("table task_counts", err)
}

// references are queries that name rows which refer to nothing.
var references = []struct{ table, query, what string }{
	{"assignments", `SELECT task_id || '/' || attempt FROM assignments a WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = a.task_id)`, "belongs to no task"},
	{"results", `SELECT task_id || '/' || attempt FROM results r WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = r.task_id)`, "belongs to no task"},
	{"file_metadata", `SELECT task_id || '/' || path FROM file_metadata f WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.id = f.task_id)`, "belongs to no task"},
	{"tokens", `SELECT id FROM tokens k WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = k.user_id)`, "belongs to no user; it lets nobody in"},
}

func (c *checker) references(ctx context.Context) error {
	for _, r := range references {
		rows, err := c.conn.QueryContext(ctx, r.query)
		if err == nil {
			err = scanAll(rows, func(rows *sql.Rows) error {
				var id string
				if err := rows.Scan(&id); err != nil {
					return err
				}
				c.report(db.Finding{File: c.path, Place: "table " + r.table, What: fmt.Sprintf("row %q %s", id, r.what)})
				return nil
			})
		}
		if err := c.damage("table "+r.table, err); err != nil {
			return err
		}
	}
	return c.files(ctx)
}

// files compares each task's summary of its files with their rows.
func (c *checker) files(ctx context.Context) error {
	rows, err := c.conn.QueryContext(ctx, `SELECT `+taskColumns+`,
(SELECT count(*) FROM file_metadata f WHERE f.task_id = t.id AND f.attempt = t.files_attempt),
(SELECT coalesce(sum(size), 0) FROM file_metadata f WHERE f.task_id = t.id AND f.attempt = t.files_attempt)
FROM tasks t WHERE t.files_attempt > 0`)
	if err != nil {
		return c.damage("table tasks", err)
	}
	return c.damage("table tasks", scanAll(rows, func(rows *sql.Rows) error {
		var id string
		var version, sum, count, size int64
		var doc sql.RawBytes
		if err := rows.Scan(&id, &version, &sum, &doc, &count, &size); err != nil {
			return err
		}
		t, err := document.DecodeTask(id, version, sum, doc)
		if errors.Is(err, db.ErrDamaged) {
			return nil // told by rows
		}
		if want := t.Files; err == nil && (int64(want.Count) != count || want.TotalSize != size) {
			c.report(db.Finding{File: c.path, Place: "table file_metadata", What: fmt.Sprintf(
				"task %q has %d files of %d bytes, their rows are %d of %d bytes", id, want.Count, want.TotalSize, count, size)})
		}
		return err
	}))
}

// eachPublished tells of the files whose rows are whole.
func (c *checker) eachPublished(ctx context.Context) error {
	if c.published == nil {
		return nil
	}
	rows, err := c.conn.QueryContext(ctx, `SELECT t.user_id, f.task_id, f.attempt, f.path, f.size, f.sha256, f.content_type, f.sum
FROM tasks t JOIN file_metadata f ON f.task_id = t.id AND f.attempt = t.files_attempt ORDER BY t.id, f.path`)
	if err != nil {
		return c.damage("table file_metadata", err)
	}
	var user, owner cluster.UserID
	var task cluster.TaskID
	var files []cluster.File
	told := func() error {
		if len(files) == 0 {
			return nil
		}
		defer func() { files = nil }()
		return c.published(owner, task, files)
	}
	err = scanAll(rows, func(rows *sql.Rows) error {
		var f fileRow
		var sum int64
		if err := rows.Scan(&user, &f.task, &f.attempt, &f.file.Path, &f.file.Size, &f.file.SHA256, &f.file.ContentType, &sum); err != nil {
			return err
		}
		if document.FileSum(string(f.task), f.attempt, f.file) != sum {
			return nil // told by rows
		}
		if f.task != task {
			if err := told(); err != nil {
				return err
			}
		}
		owner, task, files = user, f.task, append(files, f.file)
		return nil
	})
	if err == nil {
		err = told()
	}
	return c.damage("table file_metadata", err)
}
