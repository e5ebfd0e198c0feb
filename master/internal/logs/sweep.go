package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cloudai/master/internal/cluster"
)

// LogsRead reports whether a log of the task is being read, or otherwise in use,
// at this moment.
func (k *Keeper) LogsRead(task cluster.TaskID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.usedLocked(task)
}

func (k *Keeper) usedLocked(task cluster.TaskID) bool {
	for at, l := range k.logs {
		if at.task == task && l.refs > 0 {
			return true
		}
	}
	return false
}

// RemoveLogs deletes all logs of a task unless one of them is being read:
// cluster.ErrConflict. Who comes meanwhile hears that the log was removed.
// Repeating it is a no-op.
func (k *Keeper) RemoveLogs(ctx context.Context, task cluster.TaskID) error {
	k.mu.Lock()
	if k.usedLocked(task) {
		k.mu.Unlock()
		return fmt.Errorf("%w: a log of task %s is being read", cluster.ErrConflict, task)
	}
	k.going[task]++
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.going[task]--; k.going[task] == 0 {
			delete(k.going, task)
		}
	}()
	return k.Remove(ctx, task)
}

// LogsSize is what the logs of all attempts of a task take of the disk, in
// bytes.
func (k *Keeper) LogsSize(task cluster.TaskID) (int64, error) {
	if !safeName(string(task)) {
		return 0, nil
	}
	files, err := os.ReadDir(filepath.Join(k.cfg.Dir, string(task)))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var sum int64
	for _, f := range files {
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		sum += info.Size()
	}
	return sum, err
}

// Remove deletes all logs of a task. Its readers and followers end.
func (k *Keeper) Remove(ctx context.Context, task cluster.TaskID) error {
	if !safeName(string(task)) {
		return fmt.Errorf("%w: no log can have task %q", cluster.ErrInvalid, task)
	}
	for _, l := range k.hold(task) {
		err := l.lock(ctx)
		if err == nil {
			l.w.removed, l.w.tail = true, tail{}
			k.unfollow(l.key)
			l.publish()
			l.unlock()
		}
		k.drop(l)
		if cerr := ctx.Err(); err != nil && cerr != nil {
			return cerr
		}
	}
	if err := os.RemoveAll(filepath.Join(k.cfg.Dir, string(task))); err != nil {
		return fmt.Errorf("remove the logs of task %s: %w", task, err)
	}
	return nil
}

// hold gives all logs of a task that are in use, to be dropped.
func (k *Keeper) hold(task cluster.TaskID) []*attemptLog {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []*attemptLog
	for at, l := range k.logs {
		if at.task == task {
			l.refs++
			out = append(out, l)
		}
	}
	return out
}

// drop releases a log that is being removed; nobody finds it any more.
func (k *Keeper) drop(l *attemptLog) {
	k.mu.Lock()
	l.pinned = false
	if k.logs[l.key] == l {
		delete(k.logs, l.key)
	}
	k.mu.Unlock()
	k.release(l)
}

// SweepLogs removes the logs of tasks that keeps denies, and what a crash of an
// earlier process has left half made. It may run while logs are written.
func (k *Keeper) SweepLogs(ctx context.Context, keeps func(context.Context, cluster.TaskID) (bool, error)) error {
	dir, err := os.Open(k.cfg.Dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(512)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("sweep logs: %w", err)
		}
		for _, name := range names {
			if err := k.sweepTask(ctx, cluster.TaskID(name), keeps); err != nil {
				return fmt.Errorf("sweep logs of %s: %w", name, err)
			}
		}
	}
}

func (k *Keeper) sweepTask(ctx context.Context, task cluster.TaskID, keeps func(context.Context, cluster.TaskID) (bool, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !safeName(string(task)) {
		return nil // not ours
	}
	ok, err := keeps(ctx, task)
	if err != nil {
		return err
	}
	if !ok {
		return k.Remove(ctx, task)
	}
	path := filepath.Join(k.cfg.Dir, string(task))
	files, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".tmp") {
			continue
		}
		info, err := f.Info()
		if err == nil && info.ModTime().Before(k.born) {
			err = os.Remove(filepath.Join(path, f.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
