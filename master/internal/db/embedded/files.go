package embedded

import (
	"context"
	"database/sql"
	"fmt"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db/document"
)

// putFiles replaces the rows of the attempt that the task publishes.
func putFiles(s *session, t *cluster.Task, files []cluster.File) error {
	_, err := s.exec(`DELETE FROM file_metadata WHERE task_id = ? AND attempt = ?`, string(t.ID), t.Files.Attempt)
	if err != nil {
		return err
	}
	return insertFiles(s, t, t.Files.Attempt, files)
}

func insertFiles(s *session, t *cluster.Task, attempt int, files []cluster.File) error {
	for _, f := range files {
		_, err := s.exec(`INSERT INTO file_metadata
(task_id, attempt, path, user_id, size, sha256, content_type, created_at, sum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			string(t.ID), attempt, f.Path, string(t.UserID), f.Size, f.SHA256, f.ContentType,
			document.Nanos(t.FinishedAt), document.FileSum(string(t.ID), attempt, f))
		if err != nil {
			return err
		}
	}
	return nil
}

// TaskFiles implements db.Files.
func (s *Store) TaskFiles(ctx context.Context, id cluster.TaskID) ([]cluster.File, error) {
	var list []cluster.File
	found := false
	err := s.query(ctx, `SELECT f.attempt, f.path, f.size, f.sha256, f.content_type, f.sum FROM tasks t
LEFT JOIN file_metadata f ON f.task_id = t.id AND f.attempt = t.files_attempt
WHERE t.id = ? ORDER BY f.path`, []any{string(id)}, func(rows *sql.Rows) error {
		found = true
		var attempt, size, sum sql.NullInt64
		var path, sha256, contentType sql.NullString
		if err := rows.Scan(&attempt, &path, &size, &sha256, &contentType, &sum); err != nil || !path.Valid {
			return err
		}
		f := cluster.File{Path: path.String, Size: size.Int64, SHA256: sha256.String, ContentType: contentType.String}
		if document.FileSum(string(id), int(attempt.Int64), f) != sum.Int64 {
			return document.Damaged("file_metadata", string(id)+"/"+f.Path, "checksum does not match")
		}
		list = append(list, f)
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("task %s: %w", id, cluster.ErrNotFound)
	}
	return list, err
}

// ListFiles implements db.Files.
func (s *Store) ListFiles(ctx context.Context, user cluster.UserID, page cluster.Page) ([]cluster.Task, cluster.Cursor, error) {
	if err := checkLimit(page); err != nil {
		return nil, cluster.Cursor{}, err
	}
	c := &condition{}
	if user != "" {
		c.add("user_id = ?", string(user))
	}
	c.after(page.After, page.Order)
	query := "SELECT " + taskColumns + " FROM tasks t INDEXED BY tasks_with_files WHERE " + c.where("files_shown = 1") +
		" ORDER BY created_at DESC, id LIMIT " + c.arg(page.Limit+1)
	return s.taskPage(ctx, query, c.args, page)
}
