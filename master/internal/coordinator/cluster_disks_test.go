package coordinator

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"cloudai/master/internal/cluster"
)

// logDisk holds the master's copies of logs, as LogKeeper promises them: an
// append that is not sealed may lose its end with the master.
type logDisk map[logKey]*logCopy

type logKey struct {
	task    cluster.TaskID
	attempt int
}

// logCopy is one copy. Bytes are counted, not kept.
type logCopy struct {
	lease   string // whose bytes these are
	reach   cluster.LogOffsets
	durable cluster.LogOffsets
	dropped int64 // bytes that are named as lost
	sealed  bool
	marker  bool // it ends with the marker of a lost attempt
}

func (d logDisk) of(ref cluster.AttemptRef) *logCopy {
	at := logKey{ref.TaskID, ref.Attempt}
	if d[at] == nil {
		d[at] = &logCopy{lease: ref.Lease}
	}
	return d[at]
}

// append takes the bytes between the offsets; false: a hole, another attempt's,
// or the log is complete.
func (d logDisk) append(ref cluster.AttemptRef, from, to cluster.LogOffsets) bool {
	l := d.of(ref)
	if from.Stdout > l.reach.Stdout || from.Stderr > l.reach.Stderr {
		return false
	}
	if to.Stdout <= l.reach.Stdout && to.Stderr <= l.reach.Stderr {
		return true
	}
	if l.sealed {
		return false
	}
	l.reach = cluster.LogOffsets{Stdout: max(l.reach.Stdout, to.Stdout), Stderr: max(l.reach.Stderr, to.Stderr)}
	return true
}

// finish is LogKeeper.Finish; the tail begins at tailFrom.
func (d logDisk) finish(ref cluster.AttemptRef, end LogEnd, tailFrom cluster.LogOffsets) (need *cluster.LogOffsets) {
	l := d.of(ref)
	if l.sealed && (l.marker || end.Length.Stdout <= l.reach.Stdout && end.Length.Stderr <= l.reach.Stderr) {
		return nil
	}
	l.sealed = false // or it goes on: what completed it was not recorded
	if tailFrom.Stdout <= l.reach.Stdout {
		l.reach.Stdout = max(l.reach.Stdout, end.Length.Stdout)
	}
	if tailFrom.Stderr <= l.reach.Stderr {
		l.reach.Stderr = max(l.reach.Stderr, end.Length.Stderr)
	}
	missing := max(0, end.Length.Stdout-l.reach.Stdout) + max(0, end.Length.Stderr-l.reach.Stderr)
	if missing > 0 && !end.Lost {
		at := l.reach
		return &at
	}
	l.dropped += missing
	l.reach = cluster.LogOffsets{Stdout: max(l.reach.Stdout, end.Length.Stdout), Stderr: max(l.reach.Stderr, end.Length.Stderr)}
	l.sealed = true
	return nil
}

func (d logDisk) abandon(ref cluster.AttemptRef) {
	if l := d.of(ref); !l.sealed {
		l.sealed, l.marker = true, true
	}
}

// crash loses some of what was not flushed.
func (d logDisk) crash(rng *rand.Rand) {
	inOrder := func(a, b logKey) int { return cmp.Or(cmp.Compare(a.task, b.task), cmp.Compare(a.attempt, b.attempt)) }
	for _, key := range slices.SortedFunc(maps.Keys(d), inOrder) {
		l := d[key]
		if l.sealed && (l.marker || l.reach != (cluster.LogOffsets{})) {
			continue
		}
		l.sealed = false // without a byte there is no file
		l.reach.Stdout = l.durable.Stdout + rng.Int64N(l.reach.Stdout-l.durable.Stdout+1)
		l.reach.Stderr = l.durable.Stderr + rng.Int64N(l.reach.Stderr-l.durable.Stderr+1)
		l.durable = l.reach
	}
}

// fileDisk holds output files, as FileKeeper promises them.
type fileDisk struct {
	staging   map[cluster.AttemptRef]map[string]*staged
	published map[cluster.TaskID][]cluster.File
	over      map[cluster.AttemptRef]bool // discarded in this life of the master
}

type staged struct {
	received int64
	complete bool
	content  string // the hash of what it is a part of
}

func newFileDisk() fileDisk {
	return fileDisk{
		staging:   map[cluster.AttemptRef]map[string]*staged{},
		published: map[cluster.TaskID][]cluster.File{},
		over:      map[cluster.AttemptRef]bool{},
	}
}

// crash forgets what only memory knew.
func (d *fileDisk) crash() {
	clear(d.over)
	for _, files := range d.staging {
		for _, s := range files {
			s.complete = false
		}
	}
}

func (d *fileDisk) discard(ref cluster.AttemptRef) {
	d.over[ref] = true
	delete(d.staging, ref)
}

// write adds a piece up to byte to of a file that has size bytes.
func (d *fileDisk) write(ref cluster.AttemptRef, path, content string, to, size int64) error {
	if d.over[ref] {
		return cluster.ErrStaleAttempt
	}
	if d.staging[ref] == nil {
		d.staging[ref] = map[string]*staged{}
	}
	s := d.staging[ref][path]
	if s == nil {
		s = &staged{}
		d.staging[ref][path] = s
	}
	s.content, s.received = content, max(s.received, to)
	s.complete = s.received == size
	return nil
}

// publish is FileKeeper.Publish.
func (d *fileDisk) publish(ref cluster.AttemptRef, m Manifest) ([]cluster.File, error) {
	if there, ok := d.published[ref.TaskID]; ok {
		if len(m.Files) > 0 && slices.Equal(there, m.Files) {
			delete(d.staging, ref)
			return there, nil
		}
		delete(d.published, ref.TaskID)
	}
	if len(m.Files) == 0 {
		delete(d.staging, ref)
		return nil, nil
	}
	for _, want := range m.Files {
		if s := d.staging[ref][want.Path]; s == nil || s.received != want.Size || s.content != want.SHA256 {
			delete(d.staging[ref], want.Path)
			return nil, fmt.Errorf("%w: %s is not as the manifest says", cluster.ErrConflict, want.Path)
		}
	}
	delete(d.staging, ref)
	d.published[ref.TaskID] = slices.Clone(m.Files)
	return slices.Clone(m.Files), nil
}

// retract is FileKeeper.Retract.
func (d *fileDisk) retract(ref cluster.AttemptRef) {
	files, ok := d.published[ref.TaskID]
	if !ok {
		return
	}
	delete(d.published, ref.TaskID)
	if d.staging[ref] != nil {
		return
	}
	d.staging[ref] = map[string]*staged{}
	for _, file := range files {
		d.staging[ref][file.Path] = &staged{received: file.Size, complete: true, content: file.SHA256}
	}
}

// sweep is FileKeeper.Sweep.
func (d *fileDisk) sweep(live map[cluster.TaskID]cluster.AttemptRef, committed func(cluster.TaskID) bool) {
	for ref := range d.staging {
		if live[ref.TaskID] != ref {
			delete(d.staging, ref)
		}
	}
	for id := range d.published {
		ref, ok := live[id]
		switch {
		case committed(id):
		case ok:
			d.retract(ref)
		default:
			delete(d.published, id)
		}
	}
}
