package agent

import (
	"fmt"
	"time"
)

// toCollect begins the way of everything that a container has left.
func (m *Machine) toCollect(now time.Time, a *attempt) {
	a.enter(StateCollectOutput, now, now)
	a.phase = phaseCollect
}

// Collection is what lies in an output folder.
type Collection struct {
	Files   []File
	Skipped []Skipped
	Size    int64 // bytes of all regular files, skipped ones too
}

// Collected brings the list of the output files. An output that cannot be
// read at all ends the attempt as upload.
func (m *Machine) Collected(now time.Time, ref Ref, c Collection, err error) []Action {
	a := m.finished(ref)
	if a == nil {
		return nil
	}
	a.done()
	a.end.output = c
	if err != nil {
		a.end.upload = "the output cannot be read: " + err.Error()
	}
	a.enter(StateUploadFiles, now, now)
	a.phase = phaseUpload
	if len(a.end.output.Files) == 0 {
		m.toReport(now, a)
	}
	m.settle(now, a)
	return m.take()
}

// Uploading says how many bytes of the output the master has.
func (m *Machine) Uploading(now time.Time, ref Ref, done, total int64) []Action {
	a := m.attempts[ref]
	if a == nil || a.phase != phaseUpload || !a.busy {
		return nil
	}
	m.moved(now, a, done, total)
	return m.take()
}

// UploadReply is how far an upload came.
type UploadReply struct {
	Reply
	Files   []File // all of them, with the hashes known by now
	Skipped []Skipped
	Moved   bool // the master took some bytes
	// Refused is why the master did not take some of the files; empty: it did.
	Refused string
}

// Uploaded brings the outcome of one upload.
func (m *Machine) Uploaded(now time.Time, ref Ref, r UploadReply) []Action {
	a := m.finished(ref)
	if a == nil {
		return nil
	}
	a.end.output.Files = r.Files
	a.end.output.Skipped = append(a.end.output.Skipped, r.Skipped...)
	if r.Refused != "" { // also when the rest has to be tried again
		a.end.upload = "the master does not take all of the output: " + r.Refused
	}
	switch r.Code {
	case ReplyOK:
		a.done()
		m.toReport(now, a)
	case ReplyGone:
		a.orders.discard = true
	case ReplyUnknownSession:
		m.lostSession(now)
		m.again(now, a)
	case ReplyRetry, ReplyDenied, ReplyClone, ReplyRefused, ReplyQuota:
		if r.Moved {
			a.retry.tries = 0
		}
		m.again(now, a)
	}
	m.settle(now, a)
	return m.take()
}

// overLimit says that the output is larger than was asked for, or has too many
// files, or "".
func (a *attempt) overLimit() string {
	if a.box.crowded {
		return fmt.Sprintf("the output has more than %d files and folders", maxEntries)
	}
	limit := a.spec.Storage << 20
	if limit <= 0 || !a.box.full && a.end.output.Size <= limit {
		return ""
	}
	return fmt.Sprintf("the output exceeds storage_required (%d MiB)", a.spec.Storage)
}
