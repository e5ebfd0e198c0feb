package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"cloudai/master/internal/cluster"
)

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

// Sweep removes the logs of tasks that do not exist, and what a crash has left
// half made.
func (k *Keeper) Sweep(ctx context.Context, exists func(context.Context, cluster.TaskID) (bool, error)) error {
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
			if err := k.sweepTask(ctx, cluster.TaskID(name), exists); err != nil {
				return fmt.Errorf("sweep logs of %s: %w", name, err)
			}
		}
	}
}

func (k *Keeper) sweepTask(ctx context.Context, task cluster.TaskID, exists func(context.Context, cluster.TaskID) (bool, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !safeName(string(task)) {
		return nil // not ours
	}
	ok, err := exists(ctx, task)
	if err != nil {
		return err
	}
	if !ok {
		return k.Remove(ctx, task)
	}
	path := filepath.Join(k.cfg.Dir, string(task))
	files, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".tmp") {
			if err := os.Remove(filepath.Join(path, f.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
