package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// logTries is how often a task's logs are listed anew when one was put in
// another form meanwhile.
const logTries = 5

// addLogs adds the logs of the tasks in the snapshot, as far as they have come.
// Those of running attempts are cut at a whole record by the next start.
func (b *backup) addLogs(ctx context.Context) error {
	for _, id := range b.tasks {
		var err error
		for range logTries {
			if err = ctx.Err(); err == nil {
				err = b.addTaskLogs(string(id))
			}
			if !errors.Is(err, fs.ErrNotExist) {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("logs of task %s: %w", id, err)
		}
	}
	return nil
}

// addTaskLogs copies all of a task's log files before it adds the first. An
// index is copied before its bytes, which are always ahead of it.
func (b *backup) addTaskLogs(task string) error {
	dir := filepath.Join(b.Data, logsDir, task)
	entries, err := os.ReadDir(dir) // in order: .idx comes before .log
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	work := filepath.Join(b.work, logsDir)
	if err := errors.Join(os.RemoveAll(work), os.Mkdir(work, 0o700)); err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".idx", ".log", ".pack":
			if err := copyFile(filepath.Join(dir, e.Name()), filepath.Join(work, e.Name())); err != nil {
				return err
			}
			names = append(names, e.Name())
		}
	}
	if slices.ContainsFunc(names, func(n string) bool {
		return filepath.Ext(n) == ".idx" && !slices.Contains(names, strings.TrimSuffix(n, ".idx")+".log")
	}) {
		return fs.ErrNotExist // listed just before its bytes came to be
	}
	for _, name := range names {
		if err := b.archive.addFile(logMember+task+"/"+name, filepath.Join(work, name)); err != nil {
			return errors.New(strings.ReplaceAll(err.Error(), work, dir)) // not to be tried again
		}
	}
	return nil
}

// copyFile copies what is in a file now.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
