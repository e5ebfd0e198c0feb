package fake

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"cloudai/worker/internal/executor"
)

// compactFrom is the size from which on a journal is rewritten with what is
// alive, when that is much less; in bytes.
const compactFrom = 16 << 20

// journal keeps all containers in one file of JSON lines, each appended by
// one write. (A file for each container costs more than all else: making one
// takes ext4 a fifth of a millisecond, a line a hundredth of that.) What is
// alive follows from the lines in their order and from nothing else: every
// operation first reads what was appended since the last one, also by another
// executor, and a line counts when it has been read back.
//
// Its mutex stands for the file and is held while the file is used.
type journal struct {
	path  string
	nonce string // of this opening

	mu        sync.Mutex
	file      *os.File
	pos       int64 // bytes read
	alive     map[string]record
	created   int64 // by this opening, for the nonces
	compactAt int64 // size in bytes
}

// Kinds of an entry.
const (
	kindCreate = "create"
	kindStart  = "start"
	kindRefuse = "refuse"
	kindStop   = "stop"
	kindRemove = "remove"
)

// entry is a line of the journal.
type entry struct {
	ID     string            `json:"id"`
	Kind   string            `json:"kind"`
	Time   time.Time         `json:"time,omitzero"`
	Grace  time.Duration     `json:"grace,omitempty"`  // of a stop
	Nonce  string            `json:"nonce,omitempty"`  // of a creation, to know one's own
	Labels map[string]string `json:"labels,omitempty"` // of a creation
	Plan   *plan             `json:"plan,omitempty"`   // of a creation
}

// openJournal opens the file, made when missing. The line of a process that
// was killed while it wrote is closed, so that it spoils no other.
func openJournal(path string) (*journal, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	j := &journal{
		path:      path,
		nonce:     strconv.FormatUint(rand.Uint64(), 36), //nolint:gosec // tells containers apart, keeps no secret
		compactAt: compactFrom,
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.reopenLocked(); err != nil {
		return nil, err
	}
	info, err := j.file.Stat()
	if err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err = j.file.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			_, err = j.file.WriteString("\n")
		}
	}
	if err == nil {
		err = j.catchUpLocked()
	}
	if err != nil {
		return nil, errors.Join(err, j.file.Close())
	}
	return j, nil
}

// reopenLocked starts over with the file that has the path now.
func (j *journal) reopenLocked() error {
	file, err := os.OpenFile(j.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if j.file != nil {
		err = j.file.Close()
	}
	j.file, j.pos, j.alive = file, 0, map[string]record{}
	return err
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file.Close()
}

// create appends a container unless the name is taken, and returns the one
// that has it then, and whether it is the new one.
func (j *journal) create(id string, labels map[string]string, p plan) (record, bool, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.catchUpLocked(); err != nil {
		return record{}, false, err
	}
	if found, ok := j.alive[id]; ok {
		return found, false, nil
	}
	j.created++
	nonce := j.nonce + "-" + strconv.FormatInt(j.created, 36)
	if err := j.appendLocked(entry{ID: id, Kind: kindCreate, Nonce: nonce, Labels: labels, Plan: &p}); err != nil {
		return record{}, false, err
	}
	found, ok := j.alive[id]
	if !ok {
		return record{}, false, fmt.Errorf("%w: %s went as it came", executor.ErrNotFound, id)
	}
	return found, found.nonce == nonce, nil
}

// add appends an entry about a living container; ErrNotFound for any other.
func (j *journal) add(e entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.catchUpLocked(); err != nil {
		return err
	}
	if _, ok := j.alive[e.ID]; !ok {
		return fmt.Errorf("%w: %s", executor.ErrNotFound, e.ID)
	}
	return j.appendLocked(e)
}

// read returns a living container; ErrNotFound for any other.
func (j *journal) read(id string) (record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.catchUpLocked(); err != nil {
		return record{}, err
	}
	r, ok := j.alive[id]
	if !ok {
		return record{}, fmt.Errorf("%w: %s", executor.ErrNotFound, id)
	}
	return r, nil
}

// all returns every living container.
func (j *journal) all() ([]record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.catchUpLocked(); err != nil {
		return nil, err
	}
	records := make([]record, 0, len(j.alive))
	for _, r := range j.alive {
		records = append(records, r)
	}
	return records, nil
}

// appendLocked writes a line and takes it in: as it is when nothing came
// between, else by reading it back.
func (j *journal) appendLocked(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding an entry: %w", err)
	}
	line = append(line, '\n')
	if _, err := j.file.Write(line); err != nil {
		return fmt.Errorf("%w: %w", executor.ErrEngine, err)
	}
	if info, err := os.Stat(j.path); err == nil && info.Size() == j.pos+int64(len(line)) {
		j.pos = info.Size()
		apply(j.alive, e)
	} else if err := j.catchUpLocked(); err != nil {
		return err
	}
	if j.pos < j.compactAt {
		return nil
	}
	return j.compactLocked()
}

// catchUpLocked applies what was appended since the last look.
func (j *journal) catchUpLocked() error {
	info, err := os.Stat(j.path)
	if err != nil {
		return fmt.Errorf("%w: %w", executor.ErrEngine, err)
	}
	if info.Size() == j.pos {
		return nil // nobody replaces the file by one of the same size
	}
	if own, err := j.file.Stat(); err != nil || !os.SameFile(own, info) {
		if err := j.reopenLocked(); err != nil {
			return fmt.Errorf("%w: %w", executor.ErrEngine, err)
		}
	}
	data := make([]byte, info.Size()-j.pos)
	n, err := j.file.ReadAt(data, j.pos)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", executor.ErrEngine, err)
	}
	whole := data[:bytes.LastIndexByte(data[:n], '\n')+1]
	j.pos += int64(len(whole))
	for line := range bytes.Lines(whole) {
		var e entry
		if json.Unmarshal(line, &e) == nil { // else it is torn
			apply(j.alive, e)
		}
	}
	return nil
}

// compactLocked replaces the file by one of only what is alive.
func (j *journal) compactLocked() error {
	temp := j.path + ".new"
	size, err := writeAlive(temp, j.alive)
	if err == nil {
		err = os.Rename(temp, j.path)
	}
	if err == nil {
		err = j.reopenLocked()
	}
	if err == nil {
		err = j.catchUpLocked()
	}
	if err != nil {
		return fmt.Errorf("%w: compacting the journal: %w", executor.ErrEngine, err)
	}
	j.compactAt = max(compactFrom, 4*size)
	return nil
}

// writeAlive writes the shortest journal of these containers and returns its
// size in bytes.
func writeAlive(path string, alive map[string]record) (int64, error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriter(file)
	lines := json.NewEncoder(w)
	for _, r := range alive {
		for _, e := range r.entries() {
			if err == nil {
				err = lines.Encode(e)
			}
		}
	}
	err = errors.Join(err, w.Flush())
	size, seekErr := file.Seek(0, io.SeekCurrent)
	return size, errors.Join(err, seekErr, file.Close())
}
