package agent

import (
	"context"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cloudai/worker/internal/executor"
)

// started is the mode of an attempt's folder once its container is to be
// started. A container that was removed behind the worker's back while there
// was no worker leaves this one trace, and only by it can an attempt that has
// begun be told from one that has not. A bit costs less than a file, and stands
// where the folder of /output stands for the attempt anyway.
const started = 0o700 | fs.ModeSticky

// markStarted notes that the attempt's container is about to be started.
func (a *Agent) markStarted(ref Ref) {
	if err := os.Chmod(a.attemptDir(ref), started); err != nil {
		a.log.Debug("the attempt's folder is not marked", "task_id", ref.TaskID, "attempt", ref.Attempt, "error", err)
	}
}

func wasStarted(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode() == fs.ModeDir|started
}

// markedAt is when the attempt's container was about to be started; zero when it
// never was.
func (a *Agent) markedAt(ref Ref) time.Time {
	info, err := os.Lstat(a.attemptDir(ref))
	if err != nil || info.Mode() != fs.ModeDir|started {
		return time.Time{}
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.ModTime()
	}
	at := changeTime(stat)
	return time.Unix(at.Unix())
}

// marks are the times at which an earlier process was about to start containers
// that the engine calls not started.
func (a *Agent) marks(containers []executor.Container) map[Ref]time.Time {
	marks := map[Ref]time.Time{}
	for _, c := range containers {
		ref := refOf(c.Spec.Key)
		if c.Phase != executor.PhaseCreated || checkRef(ref) != nil {
			continue
		}
		if at := a.markedAt(ref); !at.IsZero() {
			marks[ref] = at
		}
	}
	return marks
}

// Marked says when an earlier process was about to start containers. It comes
// before Found.
func (m *Machine) Marked(at map[Ref]time.Time) { m.link.marks = at }

// parseAttemptName is the reverse of attemptName. A lease has no dash.
func parseAttemptName(name string) (Ref, bool) {
	rest, lease, ok := cutLast(name)
	task, number, also := cutLast(rest)
	attempt, err := strconv.Atoi(number)
	ref := Ref{TaskID: task, Attempt: attempt, Lease: lease}
	return ref, ok && also && err == nil && checkRef(ref) == nil
}

func cutLast(s string) (before, after string, ok bool) {
	at := strings.LastIndexByte(s, '-')
	if at < 0 {
		return "", "", false
	}
	return s[:at], s[at+1:], true
}

// Gone names attempts whose containers an earlier process has started and that
// are not there any more. It comes before Found. The master is told that they
// had begun, with the registration and with the heartbeat that says that they
// are absent: it may start anew in between. That it has stored how they ended
// is clear when it has answered that heartbeat.
func (m *Machine) Gone(refs []Ref) { m.link.gone = refs }

func (l *link) goneSet() []Running {
	set := make([]Running, 0, len(l.gone))
	for _, ref := range l.gone {
		set = append(set, Running{Ref: ref, State: StateContainerCreated, HasContainer: true})
	}
	return set
}

// forgetGone removes what is left of those among the attempts of which the
// master has decided: they are none of its live ones, or it has stored how they
// ended.
func (m *Machine) forgetGone(decided []Ref) {
	var over []Ref
	m.link.gone = slices.DeleteFunc(m.link.gone, func(ref Ref) bool {
		if !slices.Contains(decided, ref) {
			return false
		}
		over = append(over, ref)
		return true
	})
	if len(over) > 0 {
		m.do(RemoveFolders{Refs: over})
	}
}

// removeFolders removes what is left of attempts that the master knows to be
// gone. What fails is found again at the next start.
func (a *Agent) removeFolders(_ context.Context, x RemoveFolders) feedback {
	for _, ref := range x.Refs {
		if err := a.removeFolder(a.attemptDir(ref)); err != nil {
			a.log.Warn("the folder of an attempt stays", "task_id", ref.TaskID, "attempt", ref.Attempt, "error", err)
		}
	}
	return func(*Machine, time.Time) []Action { return nil }
}
