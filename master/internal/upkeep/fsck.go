package upkeep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/dirlock"
	"cloudai/master/internal/logs"
	"cloudai/master/internal/storage"
)

// Fsck looks through all of a master's data and reports what is not as it was
// written, or refers to nothing. It refuses a folder in use (db.ErrLocked) and
// changes nothing but the lock in it.
func Fsck(ctx context.Context, of Folders, report func(db.Finding)) (err error) {
	if _, err := os.Stat(filepath.Join(of.Data, of.State.FileName())); err != nil {
		return fmt.Errorf("there is no store in %s: %w", of.Data, err)
	}
	lock, err := dirlock.Take(of.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	files, err := storage.NewChecker(of.Files, func(file, what string, leftover bool) {
		report(db.Finding{File: file, What: what, Leftover: leftover})
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	err = of.State.Check(ctx, of.Data, report, func(user cluster.UserID, task cluster.TaskID, list []cluster.File) error {
		return files.Task(ctx, user, task, list)
	})
	if err != nil {
		return err
	}
	if err := files.Rest(ctx); err != nil {
		return err
	}
	return logs.Check(ctx, filepath.Join(of.Data, logsDir), func(file, place, what string, leftover bool) {
		report(db.Finding{File: file, Place: place, What: what, Leftover: leftover})
	})
}
