package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db/document"
)

type workerRow struct {
	ID    string `bson:"_id"`
	Epoch int64  `bson:"epoch"`
	Gone  bool   `bson:"gone,omitempty"` // see grave
	Sum   int64  `bson:"sum"`
	Doc   string `bson:"doc"` // JSON, see package document
}

// PutWorker implements db.Workers.
func (s *Store) PutWorker(ctx context.Context, worker cluster.Worker) error {
	doc, err := document.EncodeWorker(&worker)
	if err != nil {
		return err
	}
	id := string(worker.ID)
	return s.change(ctx, func(ctx context.Context, w *writer) error {
		return w.put(ctx, s.in.workers, id, newWorkerRow(w.epoch, id, doc), nil)
	})
}

func newWorkerRow(epoch int64, id string, doc []byte) workerRow {
	return workerRow{ID: id, Epoch: epoch, Sum: document.Sum(id, 0, doc), Doc: string(doc)}
}

// DeleteWorker implements db.Workers.
func (s *Store) DeleteWorker(ctx context.Context, id cluster.WorkerID) error {
	return s.change(ctx, func(ctx context.Context, w *writer) error { return w.remove(ctx, s.in.workers, string(id)) })
}

// ListWorkers implements db.Workers.
func (s *Store) ListWorkers(ctx context.Context) ([]cluster.Worker, error) {
	rows, err := findAll[workerRow](ctx, s, s.in.workers, notGone, options.Find().SetSort(order("_id")))
	var list []cluster.Worker
	for _, row := range rows {
		worker, err := document.DecodeWorker(row.ID, row.Sum, []byte(row.Doc))
		if err != nil {
			return nil, err
		}
		list = append(list, worker)
	}
	return list, err
}
