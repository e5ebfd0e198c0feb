package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

// refuseHalfFilled is db.ErrHalfFilled when a filling did not come to its end.
func (s *session) refuseHalfFilled(ctx context.Context, path string) error {
	var value string
	err := s.conn.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = ?`, db.FillingName).Scan(&value)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: %s: a migration into it did not come to its end; run it again", db.ErrHalfFilled, path)
}

// filled are the tables that hold content; task_counts follows tasks.
var contentTables = []string{
	"tasks", "assignments", "results", "file_metadata", "keys", "workers", "users", "tokens", "ended_sessions", "audit", "meta",
}

// filling prepares the tables to be filled, all in one transaction.
type filling struct{}

func (filling) apply(s *session) (answer, failure error) {
	var begun int
	err := s.queryRow(`SELECT count(*) FROM meta WHERE name = ?`, []any{db.FillingName}, &begun)
	if err != nil {
		return nil, err
	}
	for _, table := range contentTables {
		if begun == 0 {
			var there bool
			if err := s.queryRow(`SELECT EXISTS (SELECT 1 FROM `+table+`)`, nil, &there); err != nil {
				return nil, err
			}
			if there {
				return fmt.Errorf("%w: its table %s has rows", db.ErrNotEmpty, table), nil
			}
			continue
		}
		if _, err := s.exec(`DELETE FROM ` + table); err != nil {
			return nil, err
		}
	}
	if _, err := s.exec(`DELETE FROM task_counts`); err != nil {
		return nil, err
	}
	return putMeta(db.MetaValue{Name: db.FillingName, Value: "begun"}).apply(s)
}

// Fill implements db.Portable.
func (s *Store) Fill(ctx context.Context) error { return s.queue.Change(ctx, filling{}) }

// Filled implements db.Portable.
func (s *Store) Filled(ctx context.Context) error {
	return s.queue.Change(ctx, statement{`DELETE FROM meta WHERE name = ?`, []any{db.FillingName}})
}

// Load implements db.Portable. Each portion is one transaction.
func (s *Store) Load(ctx context.Context, records []db.Record) error {
	portion := make(changes, 0, len(records))
	for _, r := range records {
		if r.Task != nil {
			doc, err := document.EncodeTask(&r.Task.Task)
			if err != nil {
				return err
			}
			portion = append(portion, taskLoad{r.Task, doc})
			continue
		}
		c, err := loadOf(r)
		if err != nil {
			return err
		}
		portion = append(portion, c)
	}
	return s.queue.Change(ctx, portion)
}

// changes are a change that is all of them or none.
type changes []change

func (c changes) apply(s *session) (answer, failure error) {
	for _, one := range c {
		// An answer would leave the others in force: here it spoils them all.
		if answer, failure := one.apply(s); answer != nil || failure != nil {
			return nil, errors.Join(answer, failure)
		}
	}
	return nil, nil
}

// loadOf is the change that stores a record other than a task.
func loadOf(r db.Record) (change, error) {
	switch {
	case r.Meta != nil:
		return putMeta(*r.Meta), nil
	case r.User != nil:
		return putUser(*r.User), nil
	case r.Token != nil:
		return putToken(*r.Token), nil
	case r.Ended != nil:
		return endSession(r.Ended.ID, r.Ended.Until), nil
	case r.Worker != nil:
		return putWorker(*r.Worker)
	case r.Audit != nil:
		row, err := document.EncodeAudit(r.Audit)
		return auditLoad(row), err
	case r.Key != nil:
		return keyAlone{r.Key}, nil
	}
	return nil, fmt.Errorf("%w: a record of nothing", cluster.ErrInvalid)
}

// taskLoad stores a task with all its rows, at whatever version it is.
type taskLoad struct {
	r   *db.TaskRecord
	doc []byte
}

func (c taskLoad) apply(s *session) (answer, failure error) {
	t := &c.r.Task
	n, err := s.exec(insertTask, taskArgs(t, c.doc)...)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: task %s is there already", db.ErrVersion, t.ID)
	}
	for i := range c.r.Assignments {
		if err := putAssignment(s, &c.r.Assignments[i]); err != nil {
			return nil, err
		}
	}
	for i := range c.r.Results {
		doc, err := document.EncodeResult(&c.r.Results[i])
		if err != nil {
			return nil, err
		}
		if err := putResult(s, &c.r.Results[i], doc); err != nil {
			return nil, err
		}
	}
	for _, p := range c.r.Files {
		if err := insertFiles(s, t, p.Attempt, p.Files); err != nil {
			return nil, err
		}
	}
	for i := range c.r.Keys {
		if err := putKey(s, &c.r.Keys[i]); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
