package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	secretFileMode = 0o600
	secretDirMode  = 0o700
	tempSuffix     = ".tmp"
	// staleTempAge is when a temporary file is taken for what a crash left:
	// writing one takes milliseconds.
	staleTempAge = time.Minute
)

// createFile makes path with data, mode 0600, durable before it returns. Of
// several processes that try at once one succeeds and the others get an error
// that is fs.ErrExist; nobody ever sees part of the file. The folder is made
// when it is missing.
func createFile(path string, data []byte) error {
	return publishFile(path, data, func(temp string) error {
		// Unlike a rename, a link refuses to replace what another process made
		// in the meantime.
		return os.Link(temp, path)
	})
}

// replaceFile puts data in the place of path, mode 0600, durable before it
// returns.
func replaceFile(path string, data []byte) error {
	return publishFile(path, data, func(temp string) error {
		return os.Rename(temp, path)
	})
}

// publishFile writes data to a temporary file beside path, has publish give it
// its name, and removes what is left of the temporary name.
func publishFile(path string, data []byte, publish func(temp string) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, secretDirMode); err != nil {
		return err
	}
	removeStaleTemps(path)
	temp, err := writeTemp(path, data)
	if err != nil {
		return err
	}
	if err := publish(temp); err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	if err := removeIfThere(temp); err != nil {
		return err
	}
	return syncDir(dir)
}

// writeTemp writes data to a new file beside path, readable by its owner only,
// and syncs it.
func writeTemp(path string, data []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), tempPrefix(path)+"*"+tempSuffix)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeIfThere(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return f.Name(), errors.Join(err, f.Close())
}

func tempPrefix(path string) string { return "." + filepath.Base(path) + "." }

// removeStaleTemps clears what crashed writers of path have left. It is a
// courtesy: failing at it harms nothing.
func removeStaleTemps(path string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix(path)) || !strings.HasSuffix(e.Name(), tempSuffix) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > staleTempAge {
			_ = os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// closeToOthers takes the access of group and others from a file that holds a
// secret, as after a restore that forgot its mode.
func closeToOthers(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err := os.Chmod(path, secretFileMode); err != nil {
		return fmt.Errorf("%s is open to other users and can't be closed to them: %w", path, err)
	}
	return nil
}
