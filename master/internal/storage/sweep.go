package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"cloudai/master/internal/cluster"
)

// Sweep puts the disk in order at the master's start, before anything is
// uploaded: staging of attempts that live denies is removed; a published
// folder without a committed result is retracted to the staging of its live
// attempt, or removed; the trash is emptied. What is not named like ours is
// left alone. committed says how many bytes the task's files have. From then on
// it is known what each user's files take.
func (k *Keeper) Sweep(ctx context.Context, live func(cluster.TaskID) (cluster.Placed, bool),
	committed func(context.Context, cluster.TaskID) (size int64, ok bool, err error),
) error {
	err := k.each(ctx, trashDir, func(name string) error { return k.root.RemoveAll(path.Join(trashDir, name)) })
	if err != nil {
		return fmt.Errorf("sweep trash: %w", err)
	}
	if err := k.each(ctx, stagingDir, func(task string) error { return k.sweepStaging(ctx, task, live) }); err != nil {
		return fmt.Errorf("sweep staging: %w", err)
	}
	err = k.each(ctx, ".", func(user string) error {
		if !safeName(user) {
			return nil
		}
		err := k.each(ctx, user, func(task string) error { return k.sweepTask(ctx, user, task, live, committed) })
		if err != nil {
			return err
		}
		return k.removeEmpty(user)
	})
	if err != nil {
		return fmt.Errorf("sweep files: %w", err)
	}
	return nil
}

func (k *Keeper) sweepStaging(ctx context.Context, task string, live func(cluster.TaskID) (cluster.Placed, bool)) error {
	keep := ""
	now, ok := live(cluster.TaskID(task))
	if ok {
		dir, err := stagingOf(now.Ref)
		if err != nil {
			return err
		}
		keep = dir
	}
	dir := path.Join(stagingDir, task)
	err := k.each(ctx, dir, func(attempt string) error {
		if stage := path.Join(dir, attempt); stage != keep {
			return k.remove(stage)
		}
		return k.measure(ctx, keep, now.Owner)
	})
	if err != nil {
		return err
	}
	return k.removeEmpty(dir)
}

func (k *Keeper) sweepTask(ctx context.Context, user, task string, live func(cluster.TaskID) (cluster.Placed, bool),
	committed func(context.Context, cluster.TaskID) (int64, bool, error),
) error {
	if !safeName(task) {
		return nil
	}
	home := path.Join(user, task)
	size, ok, err := committed(ctx, cluster.TaskID(task))
	if err != nil {
		return err
	}
	if ok {
		k.use.set(home, cluster.UserID(user), size)
		return nil
	}
	now, ok := live(cluster.TaskID(task))
	if !ok {
		return k.remove(home)
	}
	stage, err := stagingOf(now.Ref)
	if err != nil {
		return err
	}
	if err := k.root.MkdirAll(path.Dir(stage), 0o700); err != nil {
		return err
	}
	if err := k.retract(home, stage); err != nil {
		return err
	}
	return k.measure(ctx, stage, now.Owner)
}

// each calls f for the name of every folder in dir, without holding all of
// them; entries that f removes do not disturb it.
func (k *Keeper) each(ctx context.Context, dir string, f func(name string) error) error {
	d, err := k.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(512)
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !e.IsDir() {
				continue
			}
			if err := f(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
