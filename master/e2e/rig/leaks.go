package rig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Clean is nil when finished tasks have left nothing behind that was only
// needed on the way: no container, no staged upload, no attempt's folder.
func (r *Rig) Clean(ctx context.Context) error {
	folders := []string{filepath.Join(r.FilesDir(), ".staging")}
	for _, w := range r.Workers() {
		folders = append(folders, filepath.Join(w.Dir, "attempts"))
	}
	var errs []error
	for _, folder := range folders {
		errs = append(errs, empty(folder))
	}
	for _, e := range r.engines {
		errs = append(errs, e.Gone(ctx))
	}
	return errors.Join(errs...)
}

// Staged is how many bytes of unfinished uploads the master holds.
func (r *Rig) Staged() (bytes int64, err error) {
	err = filepath.WalkDir(filepath.Join(r.FilesDir(), ".staging"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				bytes += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // never made, or published this very moment
		}
		return err
	})
	return bytes, err
}

// empty is nil when the folder is absent or has nothing in it.
func empty(folder string) error {
	var left []string
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // never made, or going this very moment
		}
		if err == nil && path != folder {
			left = append(left, path)
		}
		return err
	})
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("left behind: %d files and folders, the first is %s", len(left), left[0])
	}
	return err
}
