package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/docker/docker/api/types/volume"

	"cloudai/master/client"
)

// check looks at what is there when all has come to rest.
type check struct {
	load  *load
	stage *stage
	hurt  *hurts

	tasks map[string]client.Task // by id, as the master lists them at the end
	found []string
	sums  map[string]int // of verdicts
}

func (c *check) find(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

// settled is nil when every task is over and nothing is left that was only
// needed on the way.
func (c *check) settled(ctx context.Context) error {
	tasks := map[string]client.Task{}
	open, last := 0, client.Task{}
	for task, err := range c.stage.api.Tasks(ctx, client.TaskQuery{}) {
		if err != nil {
			return err
		}
		tasks[task.TaskID] = task
		if !task.Terminal() {
			open, last = open+1, task
		}
	}
	c.tasks = tasks
	if open > 0 {
		return fmt.Errorf("%d of %d tasks are not over, such as %s %s: %s/%s, attempt %d on %q, %+v", open, len(tasks),
			last.TaskID, last.Name, last.Status, last.State, last.Attempt, last.WorkerID, last.Waiting)
	}
	for worker, err := range c.stage.api.Workers(ctx) {
		if err != nil {
			return err
		}
		if worker.Status != "active" || worker.Allocated != (client.Resources{}) {
			return fmt.Errorf("worker %s is %s (%s) with %+v allocated", worker.WorkerID, worker.Status, worker.Message, worker.Allocated)
		}
	}
	if err := errors.Join(c.stage.rig.Clean(ctx), c.volumes(ctx), c.leftovers()); err != nil {
		return err
	}
	return c.stage.rig.Invariants(ctx)
}

// volumes is nil when no engine has one left.
func (c *check) volumes(ctx context.Context) error {
	for name, e := range c.stage.engines {
		list, err := e.watcher.account.VolumeList(ctx, volume.ListOptions{})
		if err != nil {
			return err
		}
		if len(list.Volumes) > 0 {
			return fmt.Errorf("engine %s has %d volumes left, such as %s", name, len(list.Volumes), list.Volumes[0].Name)
		}
	}
	return nil
}

// leftovers is nil when no folder has a file in it that was to be temporary.
func (c *check) leftovers() error {
	dirs := []string{c.stage.rig.MasterDir()}
	for _, w := range c.stage.rig.Workers() {
		dirs = append(dirs, w.Dir)
	}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			case strings.HasSuffix(path, ".tmp"), filepath.Base(filepath.Dir(path)) == ".trash":
				return fmt.Errorf("left behind: %s", path)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// run checks everything that the run has promised to somebody.
func (c *check) run(ctx context.Context) {
	c.sums = map[string]int{}
	for _, err := range c.hurt.errs {
		c.find("hurting failed: %v", err)
	}
	c.found = append(c.found, c.load.strange...)
	c.found = append(c.found, c.stage.said()...)
	c.found = append(c.found, c.stage.ended(c.hurt)...)
	byName := map[string][]client.Task{}
	for _, task := range c.tasks {
		byName[task.Name] = append(byName[task.Name], task)
	}
	for _, j := range c.load.jobs {
		same := byName[j.name]
		delete(byName, j.name)
		switch {
		case j.id == "" && !j.hurried:
			c.find("%s was never acknowledged", j.name)
			continue
		case j.id == "" && len(same) == 0:
			continue // nobody waited for it, and it was not kept
		case len(same) != 1:
			c.find("%s is there %d times", j.name, len(same))
			continue
		case j.id != "" && same[0].TaskID != j.id:
			c.find("%s was acknowledged as %s and is there as %s", j.name, j.id, same[0].TaskID)
			continue
		}
		c.sums[verdictOf(same[0])]++
		c.task(ctx, j, same[0])
	}
	for name := range byName {
		c.find("there is a task %q that nobody has submitted", name)
	}
	c.starts()
	c.files()
}

func verdictOf(t client.Task) string {
	if t.Failure != "" {
		return t.Status + " (" + t.Failure + ")"
	}
	return t.Status
}

// starts checks that no attempt's container was started twice: an adoption is
// no start.
func (c *check) starts() {
	times := map[string]int{}
	for _, e := range c.stage.engines {
		for _, s := range e.watcher.seen() {
			key := fmt.Sprintf("task %s attempt %d", s.Task, s.Attempt)
			if times[key]++; times[key] == 2 {
				c.find("%s was started twice, the second time as container %.12s", key, s.Container)
			}
		}
	}
}

// files checks that the master keeps no folder of files for nobody.
func (c *check) files() {
	folders, err := filepath.Glob(filepath.Join(c.stage.rig.FilesDir(), "[!.]*", "*"))
	if err != nil {
		c.find("looking for files: %v", err)
	}
	for _, f := range folders {
		if _, known := c.tasks[filepath.Base(f)]; !known {
			c.find("files are kept for a task that is not there: %s", f)
		}
	}
}
