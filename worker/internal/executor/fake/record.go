package fake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloudai/worker/internal/executor"
)

const (
	fileSuffix = ".json"
	tempSuffix = ".new"
)

// A container's file is a journal of JSON lines: a head, which appears
// together with the file, then events, each appended by one write. A torn
// last line of a killed process is skipped.

// head is the first line.
type head struct {
	Labels map[string]string `json:"labels"`
	Plan   plan              `json:"plan"`
}

// event is any later line.
type event struct {
	Kind  string        `json:"kind"` // start, refuse or stop
	Time  time.Time     `json:"time"`
	Grace time.Duration `json:"grace,omitempty"` // of a stop
}

const (
	kindStart  = "start"
	kindRefuse = "refuse"
	kindStop   = "stop"
)

// record is a container's file as read.
type record struct {
	id      string
	spec    executor.Spec
	plan    plan
	started time.Time
	refused bool
	stops   []event
}

// ending is how and when a started container ends if nothing else happens.
type ending struct {
	at   time.Time
	code int
	oom  bool
}

// end derives the earliest end from the plan and all stops so far.
func (r record) end() ending {
	natural := ending{at: r.started.Add(r.plan.Sleep), code: r.plan.Exit}
	if r.plan.Fail == failOOM {
		natural.code, natural.oom = 137, true
	}
	first := natural
	for _, stop := range r.stops {
		e := ending{at: stop.Time, code: 143}
		if stop.Grace <= 0 {
			e.code = 137
		} else if r.plan.IgnoreTerm {
			e = ending{at: stop.Time.Add(stop.Grace), code: 137}
		}
		if e.at.Before(first.at) {
			first = e
		}
	}
	return first
}

// container is the state at the time now.
func (r record) container(now time.Time) executor.Container {
	c := executor.Container{ID: r.id, Spec: r.spec, Phase: executor.PhaseCreated}
	if r.refused {
		c.Error = refusal
	}
	if r.started.IsZero() {
		return c
	}
	c.Phase, c.StartedAt = executor.PhaseRunning, r.started
	if end := r.end(); !now.Before(end.at) {
		c.Phase, c.FinishedAt, c.ExitCode, c.OOMKilled = executor.PhaseExited, end.at, end.code, end.oom
	}
	return c
}

func (e *Executor) path(id string) string { return filepath.Join(e.dir, id+fileSuffix) }

// validID keeps what is no name of a container from being used as a path.
func validID(id string) bool { return id != "" && filepath.Base(id) == id && id[0] != '.' }

// writeNew makes the file with its head, both or neither; os.ErrExist when the
// name is taken.
func (e *Executor) writeNew(id string, h head) error {
	line, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encoding the container: %w", err)
	}
	temp := e.path(id) + "." + strconv.FormatInt(e.temps.Add(1), 36) + "-" + strconv.Itoa(os.Getpid()) + tempSuffix
	if err := os.WriteFile(temp, append(line, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the container: %w", errors.Join(err, os.Remove(temp)))
	}
	err = os.Link(temp, e.path(id))
	if removed := os.Remove(temp); err == nil {
		err = removed
	}
	if err != nil {
		return fmt.Errorf("writing the container: %w", err)
	}
	return nil
}

// appendEvent adds a line by one write.
func (e *Executor) appendEvent(id string, ev event) error {
	line, err := json.Marshal(ev)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	f, err := os.OpenFile(e.path(id), os.O_WRONLY|os.O_APPEND, 0)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s", executor.ErrNotFound, id)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", executor.ErrEngine, err)
	}
	// The newline in front keeps a torn line apart from this one.
	_, err = f.Write(slices.Concat([]byte{'\n'}, line, []byte{'\n'}))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("%w: %w", executor.ErrEngine, err)
	}
	return nil
}

// read returns the container's file; ErrNotFound when there is none.
func (e *Executor) read(id string) (record, error) {
	if !validID(id) {
		return record{}, fmt.Errorf("%w: %q", executor.ErrNotFound, id)
	}
	data, err := os.ReadFile(e.path(id))
	if errors.Is(err, os.ErrNotExist) {
		return record{}, fmt.Errorf("%w: %s", executor.ErrNotFound, id)
	}
	if err != nil {
		return record{}, fmt.Errorf("%w: %w", executor.ErrEngine, err)
	}
	return parseRecord(id, data)
}

func parseRecord(id string, data []byte) (record, error) {
	first, rest, _ := bytes.Cut(data, []byte{'\n'})
	var h head
	if err := json.Unmarshal(first, &h); err != nil {
		return record{}, fmt.Errorf("container file %s: %w", id, err)
	}
	spec, err := executor.SpecFromLabels(h.Labels)
	if err != nil {
		return record{}, fmt.Errorf("container file %s: %w", id, err)
	}
	r := record{id: strings.TrimSuffix(id, fileSuffix), spec: spec, plan: h.Plan}
	for line := range bytes.Lines(rest) {
		var ev event
		if json.Unmarshal(line, &ev) != nil {
			continue // torn, or the newline in front of an event
		}
		switch ev.Kind {
		case kindStart:
			if r.started.IsZero() {
				r.started = ev.Time
			}
		case kindRefuse:
			r.refused = true
		case kindStop:
			r.stops = append(r.stops, ev)
		}
	}
	return r, nil
}
