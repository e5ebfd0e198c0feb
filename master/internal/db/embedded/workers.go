package embedded

import (
	"context"
	"database/sql"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db/document"
)

// PutWorker implements db.Workers.
func (s *Store) PutWorker(ctx context.Context, w cluster.Worker) error {
	c, err := putWorker(w)
	if err != nil {
		return err
	}
	return s.queue.Change(ctx, c)
}

func putWorker(w cluster.Worker) (change, error) {
	doc, err := document.EncodeWorker(&w)
	if err != nil {
		return nil, err
	}
	return statement{
		`INSERT OR REPLACE INTO workers (id, sum, doc) VALUES (?, ?, ?)`,
		[]any{string(w.ID), document.Sum(string(w.ID), 0, doc), doc},
	}, nil
}

// DeleteWorker implements db.Workers.
func (s *Store) DeleteWorker(ctx context.Context, id cluster.WorkerID) error {
	return s.queue.Change(ctx, statement{`DELETE FROM workers WHERE id = ?`, []any{string(id)}})
}

// ListWorkers implements db.Workers.
func (s *Store) ListWorkers(ctx context.Context) ([]cluster.Worker, error) {
	var list []cluster.Worker
	err := s.query(ctx, `SELECT id, sum, doc FROM workers ORDER BY id`, nil, func(rows *sql.Rows) error {
		var id string
		var sum int64
		var doc sql.RawBytes
		if err := rows.Scan(&id, &sum, &doc); err != nil {
			return err
		}
		w, err := document.DecodeWorker(id, sum, doc)
		list = append(list, w)
		return err
	})
	return list, err
}
