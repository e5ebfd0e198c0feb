package mongodb

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/document"
)

type resultRow struct {
	ID      bson.ObjectID `bson:"_id"`
	Write   bson.ObjectID `bson:"write"`
	TaskID  string        `bson:"task_id"`
	Attempt int           `bson:"attempt"`
	Sum     int64         `bson:"sum"`
	Doc     string        `bson:"doc"` // JSON, see package document
}

func (c *taskWrite) resultRow() resultRow {
	ref := c.w.Result.Ref
	return resultRow{
		ID: bson.NewObjectID(), Write: c.id, TaskID: string(ref.TaskID), Attempt: ref.Attempt,
		Sum: document.Sum(string(ref.TaskID), int64(ref.Attempt), c.result), Doc: string(c.result),
	}
}

// TaskResults implements db.Tasks.
func (s *Store) TaskResults(ctx context.Context, id cluster.TaskID) ([]db.Result, error) {
	task, err := s.taskRowOf(ctx, id)
	if errors.Is(err, cluster.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := findAll[resultRow](ctx, s, s.in.results, bson.M{"task_id": string(id)}, options.Find().SetSort(order("attempt")))
	if err != nil {
		return nil, err
	}
	var list []db.Result
	for _, row := range rows {
		if write, ok := refOf(task.Rows, kindResult, row.Attempt); !ok || write != row.Write {
			continue
		}
		r, err := document.DecodeResult(row.TaskID, int64(row.Attempt), row.Sum, []byte(row.Doc))
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}
