// Package system knows the host: the worker's own folder on it, and what it
// has to give.
package system

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	lockFile = "lock"
	idFile   = "worker-id"
	leftFile = "left"
	maxHost  = 40
)

// DataDir is the worker's folder, locked for as long as it is open.
type DataDir struct {
	Path string // absolute
	lock *os.File
}

// OpenDataDir makes the folder when it is missing and locks it: a second
// worker on it is refused.
func OpenDataDir(path string) (*DataDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("WORKER_DATA_DIR: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("WORKER_DATA_DIR: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("WORKER_DATA_DIR: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("WORKER_DATA_DIR %s: another worker%s uses it; give this one a folder of its own",
			path, owner(lock))
		return nil, errors.Join(err, lock.Close())
	}
	// For the message above; the lock itself is what counts.
	_ = lock.Truncate(0)
	_, _ = fmt.Fprintf(lock, "%d\n", os.Getpid())
	return &DataDir{Path: path, lock: lock}, nil
}

// owner names the process that holds the lock, as far as it has said so.
func owner(lock *os.File) string {
	pid := make([]byte, 20)
	n, _ := lock.ReadAt(pid, 0)
	if text := strings.TrimSpace(string(pid[:n])); text != "" {
		return " (process " + text + ")"
	}
	return ""
}

// Close gives the folder free.
func (d *DataDir) Close() error { return d.lock.Close() }

// WorkerID is the name that was chosen, or the one that is kept in the folder;
// it is made from the host's name the first time.
func (d *DataDir) WorkerID(chosen string) (string, error) {
	if chosen != "" {
		return chosen, nil
	}
	path := filepath.Join(d.Path, idFile)
	kept, err := os.ReadFile(path)
	if id := strings.TrimSpace(string(kept)); err == nil && id != "" {
		return id, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the worker's id: %w", err)
	}
	id, err := newWorkerID()
	if err != nil {
		return "", err
	}
	temp := path + ".tmp"
	if err := os.WriteFile(temp, []byte(id+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the worker's id: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return "", fmt.Errorf("keep the worker's id: %w", err)
	}
	return id, nil
}

func newWorkerID() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	var random [2]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	return plainHost(host) + "-" + hex.EncodeToString(random[:]), nil
}

// plainHost leaves of a host's name what a worker's id may hold.
func plainHost(host string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r == '.', r == '_':
			return '-'
		}
		return -1
	}, host)
	plain = strings.Trim(plain[:min(len(plain), maxHost)], "-")
	if plain == "" {
		return "worker"
	}
	return plain
}

// MarkLeft notes that this worker has announced its stop to the master.
func (d *DataDir) MarkLeft() error {
	return os.WriteFile(filepath.Join(d.Path, leftFile), nil, 0o600)
}

// TakeLeft reports whether the last process announced its stop, and forgets
// it: what this one does counts from now on.
func (d *DataDir) TakeLeft() bool {
	return os.Remove(filepath.Join(d.Path, leftFile)) == nil
}
