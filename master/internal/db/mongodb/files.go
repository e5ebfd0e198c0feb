package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db/document"
)

type fileRow struct {
	ID          bson.ObjectID `bson:"_id"`
	Write       bson.ObjectID `bson:"write"`
	TaskID      string        `bson:"task_id"`
	UserID      string        `bson:"user_id"`
	Attempt     int           `bson:"attempt"`
	Path        string        `bson:"path"`
	Size        int64         `bson:"size"` // bytes
	SHA256      string        `bson:"sha256"`
	ContentType string        `bson:"content_type"`
	CreatedAt   time.Time     `bson:"created_at"` // for people; nothing here reads it
	Sum         int64         `bson:"sum"`
}

func (c *taskWrite) fileRows() []any {
	t := &c.w.Task
	rows := make([]any, len(c.w.Files))
	for i, f := range c.w.Files {
		rows[i] = fileRow{
			ID: bson.NewObjectID(), Write: c.id, TaskID: string(t.ID), UserID: string(t.UserID), Attempt: t.Files.Attempt,
			Path: f.Path, Size: f.Size, SHA256: f.SHA256, ContentType: f.ContentType, CreatedAt: t.FinishedAt,
			Sum: document.FileSum(string(t.ID), t.Files.Attempt, f),
		}
	}
	return rows
}

// file decodes a row after a look at its checksum.
func (r *fileRow) file() (cluster.File, error) {
	f := cluster.File{Path: r.Path, Size: r.Size, SHA256: r.SHA256, ContentType: r.ContentType}
	if document.FileSum(r.TaskID, r.Attempt, f) != r.Sum {
		return f, document.Damaged("file_metadata", r.TaskID+"/"+r.Path, "checksum does not match")
	}
	return f, nil
}

// TaskFiles implements db.Files.
func (s *Store) TaskFiles(ctx context.Context, id cluster.TaskID) ([]cluster.File, error) {
	row, err := s.taskRowOf(ctx, id)
	if err != nil {
		return nil, err
	}
	task, err := row.task()
	if err != nil {
		return nil, err
	}
	write, ok := refOf(row.Rows, kindFiles, task.Files.Attempt)
	if !ok || task.Files.Deleted || task.Files.Attempt == 0 {
		return nil, nil
	}
	rows, err := findAll[fileRow](ctx, s, s.in.files, bson.M{"task_id": string(id), "write": write}, options.Find().SetSort(order("path")))
	if err != nil {
		return nil, err
	}
	list := make([]cluster.File, 0, len(rows))
	for _, r := range rows {
		f, err := r.file()
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

// ListFiles implements db.Files.
func (s *Store) ListFiles(ctx context.Context, user cluster.UserID, page cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
	if err := checkLimit(page); err != nil {
		return nil, cluster.Cursor{}, err
	}
	filter := bson.M{"files_shown": true}
	if user != "" {
		filter["user_id"] = string(user)
	}
	return s.taskPage(ctx, condition{filter: filter}, page)
}
