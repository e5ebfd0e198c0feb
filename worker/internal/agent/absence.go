package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// engineFile holds what is known of the engine's absences. It is about the
// host, not about attempts, and all goes on without it: only an end that the
// engine brought about could then pass for the container's own. Its time of
// modification is when the engine answered last.
const engineFile = "engine.json"

// engineRecord is the file's content.
type engineRecord struct {
	BootID    string    `json:"boot_id"`
	Instance  string    `json:"instance,omitempty"` // start of the engine
	DownSince time.Time `json:"down_since,omitzero"`
	Absences  []Absence `json:"absences,omitempty"`
}

// bootIDFile names the present start of the host.
const bootIDFile = "/proc/sys/kernel/random/boot_id"

func bootID() string {
	id, err := os.ReadFile(bootIDFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// engineNotes is the file with the record.
type engineNotes struct {
	path string

	mu       sync.Mutex
	seenAt   time.Time
	instance string // start of the engine that answers now
	newest   uint64 // number of the newest NoteEngine that is written
}

// absences are those that earlier processes have seen, and the one before this
// process's start if there was one, which may have gone unseen. outlived says
// that containers run on while the engine is away, though not when the host
// starts anew.
func (n *engineNotes) absences(now time.Time, instance string, outlived bool) ([]Absence, error) {
	n.is(instance)
	data, err := os.ReadFile(n.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, n.write(engineRecord{BootID: bootID()})
	}
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(n.path)
	if err != nil {
		return nil, err
	}
	var r engineRecord
	if json.Unmarshal(data, &r) != nil {
		r = engineRecord{BootID: bootID(), DownSince: info.ModTime()} // damaged: expect the worst
	}
	absences := r.Absences
	switch boot := bootID(); {
	case boot != r.BootID:
		absences = append(absences, Absence{From: info.ModTime(), To: now})
	case !r.DownSince.IsZero():
		absences = append(absences, Absence{From: r.DownSince, To: now, Outlived: outlived})
	case r.Instance != "" && instance != "" && r.Instance != instance:
		absences = append(absences, Absence{From: info.ModTime(), To: now, Outlived: outlived})
	}
	absences = absences[max(0, len(absences)-absencesKept):]
	return absences, n.write(engineRecord{BootID: bootID(), Absences: absences})
}

// noteEngine keeps what the machine has learnt of the engine.
func (a *Agent) noteEngine(_ context.Context, x NoteEngine) feedback {
	if err := a.notes.keep(x.N, engineRecord{BootID: bootID(), DownSince: x.DownSince, Absences: x.Absences}); err != nil {
		a.log.Warn("the engine's absence is not recorded", "error", err)
	}
	return func(*Machine, time.Time) []Action { return nil }
}

// is takes note of the start of the engine that answers.
func (n *engineNotes) is(instance string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.instance = instance
}

func (n *engineNotes) write(r engineRecord) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.writeLocked(r)
}

// keep writes what the machine has learnt unless it is older than what is there.
func (n *engineNotes) keep(number uint64, r engineRecord) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if number < n.newest {
		return nil
	}
	n.newest = number
	return n.writeLocked(r)
}

func (n *engineNotes) writeLocked(r engineRecord) error {
	r.Instance = n.instance
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	temp := n.path + ".tmp"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		_ = os.Remove(temp) // perhaps there was no room for all of it
		return fmt.Errorf("record the engine's absences: %w", err)
	}
	return os.Rename(temp, n.path)
}

// seen notes that the engine has answered a call that began then.
func (n *engineNotes) seen(at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if at.Sub(n.seenAt) >= probeEvery/2 {
		n.seenAt = at
		_ = os.Chtimes(n.path, at, at) // an older time only makes the absence longer
	}
}
