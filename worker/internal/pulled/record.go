// Package pulled makes room on the engine's disk: of the images that this
// worker's tasks have pulled it removes those that were used longest ago, while
// too little is free. It remembers which images those are; all others belong to
// somebody else and stay. It must not know the engine's API.
package pulled

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Image is one that was pulled for a task.
type Image struct {
	Name     string    `json:"name"` // in full, with tag or digest
	ID       string    `json:"id"`   // of what the name stood for when it was pulled
	PulledAt time.Time `json:"pulled_at"`
	UsedAt   time.Time `json:"used_at"` // by a task of this worker
}

// Record is the file with the images that were pulled. An image that is not in
// it stays for good: that is where a lost or damaged file, or a worker that
// died between a pull's end and the note of it, errs. Its methods are safe for
// concurrent use.
type Record struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	images map[string]Image // by name
	unkept bool             // the file says something else
	keptAt time.Time
}

// useEvery is how often the times of use are written down at most. What is lost
// of them with a crash makes an image look a little older.
const useEvery = time.Minute

// Open reads the record, or begins one.
func Open(path string, log *slog.Logger) (*Record, error) {
	r := &Record{path: path, log: log, images: map[string]Image{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("which images were pulled: %w", err)
	}
	var kept []Image
	if err := json.Unmarshal(data, &kept); err != nil {
		log.Warn("which images were pulled is not known any more; those that are there stay", "file", path, "error", err)
		return r, nil
	}
	for _, i := range kept {
		r.images[i.Name] = i
	}
	return r, nil
}

// Pulled notes that the engine, which had no image of that name, has this one
// now.
func (r *Record) Pulled(name, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now().UTC()
	r.images[name] = Image{Name: name, ID: id, PulledAt: now, UsedAt: now}
	r.keepLocked(now)
}

// Used notes that a task uses the image now, if it is one of the record's.
func (r *Record) Used(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, ok := r.images[name]
	if !ok {
		return
	}
	i.UsedAt = time.Now().UTC()
	r.images[name], r.unkept = i, true
	if i.UsedAt.Sub(r.keptAt).Abs() >= useEvery {
		r.keepLocked(i.UsedAt)
	}
}

// Gone forgets an image that is not there any more, or not this worker's.
func (r *Record) Gone(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.images[name]; ok {
		delete(r.images, name)
		r.keepLocked(time.Now().UTC())
	}
}

// Oldest lists the images, what was used longest ago in front.
func (r *Record) Oldest() []Image {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.images), func(a, b Image) int {
		return cmp.Or(a.UsedAt.Compare(b.UsedAt), a.PulledAt.Compare(b.PulledAt), cmp.Compare(a.Name, b.Name))
	})
}

// Keep writes down what has not been yet.
func (r *Record) Keep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unkept {
		r.keepLocked(time.Now().UTC())
	}
}

// keepLocked writes the file. That it cannot, on a full disk say, costs no more
// than what [Record] says of a lost one; it is tried again with the next change.
func (r *Record) keepLocked(now time.Time) {
	r.unkept, r.keptAt = true, now
	data, err := json.MarshalIndent(slices.SortedFunc(maps.Values(r.images), func(a, b Image) int { return cmp.Compare(a.Name, b.Name) }), "", "  ")
	if err == nil {
		err = replace(r.path, append(data, '\n'))
	}
	if err != nil {
		r.log.Warn("which images were pulled could not be written down", "file", r.path, "error", err)
		return
	}
	r.unkept = false
}

// replace writes the file whole or not at all.
func replace(path string, data []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
