package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"cloudai/master/internal/cluster"
)

// Report hears of something among the files: where, and in words what. A
// leftover is what an interrupted process has left: nothing that was promised is
// lost.
type Report func(file, what string, leftover bool)

// Home is the folder of a task's published files below that of all files.
func Home(owner cluster.UserID, task cluster.TaskID) (string, error) { return homeOf(owner, task) }

// Checker compares the files of a folder that no master has open with what the
// store says of them. It changes nothing.
type Checker struct {
	dir    string
	root   *os.Root // nil: there is no folder
	report Report
	known  map[string]bool // homes with published files
	buf    []byte
}

// NewChecker opens the folder.
func NewChecker(dir string, report Report) (*Checker, error) {
	c := &Checker{dir: dir, report: report, known: map[string]bool{}, buf: make([]byte, 256<<10)}
	root, err := os.OpenRoot(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open the files' folder: %w", err)
	}
	c.root = root
	return c, nil
}

// Close gives the folder back.
func (c *Checker) Close() error {
	if c.root == nil {
		return nil
	}
	return c.root.Close()
}

// Task compares the published files of a task.
func (c *Checker) Task(ctx context.Context, owner cluster.UserID, task cluster.TaskID, files []cluster.File) error {
	home, err := homeOf(owner, task)
	if err != nil {
		c.report(path.Join(string(owner), string(task)), err.Error(), false)
		return nil
	}
	c.known[home] = true
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.file(home, f); err != nil {
			return err
		}
	}
	return nil
}

func (c *Checker) file(home string, want cluster.File) error {
	place := filepath.Join(c.dir, filepath.FromSlash(path.Join(home, want.Path)))
	if c.root == nil {
		c.report(place, "the file is missing", false)
		return nil
	}
	info, err := c.root.Lstat(path.Join(home, want.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.report(place, "the file is missing", false)
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		c.report(place, "is no file", false)
		return nil
	case info.Size() != want.Size:
		c.report(place, fmt.Sprintf("has %d bytes, %d were published", info.Size(), want.Size), false)
		return nil
	}
	_, same, err := (&Keeper{root: c.root}).verifyFile(path.Join(home, want.Path), want, nil, c.buf)
	if err == nil && !same {
		c.report(place, "its SHA-256 is not that of what was published ("+want.SHA256+")", false)
	}
	return err
}

// Rest reports what no task refers to, once all tasks were compared.
func (c *Checker) Rest(ctx context.Context) error {
	if c.root == nil {
		return nil
	}
	k := &Keeper{root: c.root}
	for dir, what := range map[string]string{
		stagingDir: "was being uploaded; a start goes on with it or removes it",
		trashDir:   "was being deleted; the next start removes it",
	} {
		err := k.each(ctx, dir, func(name string) error {
			c.report(filepath.Join(c.dir, dir, name), what, true)
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return k.each(ctx, ".", func(user string) error {
		if !safeName(user) {
			return nil
		}
		return k.each(ctx, user, func(task string) error {
			if home := path.Join(user, task); !c.known[home] {
				c.report(filepath.Join(c.dir, home), "files of no published result; the next start puts them in order", true)
			}
			return nil
		})
	})
}
