// Package audit keeps the log of who did what. It decides that entries are on disk
// before anybody is answered, how much of what was refused is worth its room, and
// how long entries are kept; what is an entry, the edge decides.
//
// What is done to a task is stored with its entry, by whoever stores the task
// (cluster.Deed). All other entries come here once it is known what became of the
// call: of one that was not answered because the master was killed in between, the
// entry may be missing. While the store is away they wait in memory, up to a bound,
// and are stored with the next one.
package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/throttle"
)

const (
	maxBatch   = 256   // entries of one write
	maxWaiting = 10000 // entries while the store is away
	patience   = 10 * time.Second

	// maxRefused is how many refusals are noted within refusedOver: those who are
	// let in to nothing must not fill the disk.
	maxRefused  = 3000
	refusedOver = 15 * time.Minute

	// The same read of the same thing by the same caller is noted once in so long.
	readPause = 10 * time.Minute
	readsKept = 4096
)

// Config is what a Log is made of.
type Config struct {
	Store db.Audit
	Log   *slog.Logger
	Keep  time.Duration    // age at which entries go; 0: never
	Now   func() time.Time // nil: time.Now
}

// Log takes entries. Its methods are safe for concurrent use.
type Log struct {
	store db.Audit
	log   *slog.Logger
	keep  time.Duration
	now   func() time.Time

	refused *throttle.Window // one key
	reads   *throttle.Window // by caller, action and target

	turn   chan struct{} // held by the one that writes
	behind atomic.Bool   // somebody has given up waiting for a write

	mu      sync.Mutex
	waiting []*note // in their order
	left    int     // refusals that were not noted since the last that was
}

// note is an entry on its way.
type note struct {
	entry cluster.AuditEntry
	tried bool          // it was in a write; guarded by the turn
	done  chan struct{} // closed when it is stored
}

// New makes a Log; it starts nothing.
func New(cfg Config) *Log {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Log{
		store: cfg.Store, log: cfg.Log, keep: cfg.Keep, now: cfg.Now, turn: make(chan struct{}, 1),
		refused: throttle.New(maxRefused, refusedOver, 1), reads: throttle.New(1, readPause, readsKept),
	}
}

// Did notes a deed, and returns when it is on disk. An error means that it waits
// in memory, or that there was no room; the log of the process tells of it. Seq
// and Time of the entry are not looked at.
func (l *Log) Did(ctx context.Context, e cluster.AuditEntry) error {
	e = l.Stamped(e)
	if e.Outcome != cluster.AuditOK && !l.worthIt(&e) {
		return nil
	}
	n := &note{entry: e, done: make(chan struct{})}
	l.mu.Lock()
	if len(l.waiting) >= maxWaiting {
		l.mu.Unlock()
		l.log.Error("an entry of the audit log is lost: too many wait for the store", "user_id", e.UserID, "action", e.Action, "target", e.Target)
		return fmt.Errorf("%w: too many entries wait for the store", cluster.ErrUnavailable)
	}
	l.waiting = append(l.waiting, n)
	l.mu.Unlock()
	err := l.await(ctx, n)
	if err != nil {
		l.behind.Store(true)
		l.log.Warn("an entry of the audit log is not stored yet", "user_id", e.UserID, "action", e.Action, "target", e.Target, "error", err)
	}
	return err
}

// Stamped is an entry with its time, for those who store it with what it tells of.
func (l *Log) Stamped(e cluster.AuditEntry) cluster.AuditEntry {
	e.Time = l.now().UTC()
	return e
}

// CatchUp stores what still waits since the store was away: it is there again.
func (l *Log) CatchUp(ctx context.Context) {
	if !l.behind.Swap(false) {
		return
	}
	if err := l.Close(ctx); err != nil {
		l.behind.Store(true)
		l.log.Warn("entries of the audit log are not stored yet", "error", err)
	}
}

// Read notes that somebody looked at what is another's, unless that was noted a
// short time ago.
func (l *Log) Read(ctx context.Context, e cluster.AuditEntry) error {
	if e.Outcome == cluster.AuditOK && l.reads.Take(fmt.Sprintf("%q %q %q", e.UserID, e.Action, e.Target), l.now()) > 0 {
		return nil
	}
	return l.Did(ctx, e)
}

// worthIt reports whether a refusal is noted; of those that are not the next one
// tells the number.
func (l *Log) worthIt(e *cluster.AuditEntry) bool {
	noted := l.refused.Take("", e.Time) == 0
	l.mu.Lock()
	defer l.mu.Unlock()
	if !noted {
		l.left++
		return false
	}
	if l.left > 0 {
		e.Detail = fmt.Sprintf("%d refusals before this one were not noted. %s", l.left, e.Detail)
		l.left = 0
	}
	return true
}

// await returns when the note is stored, whoever stores it.
func (l *Log) await(ctx context.Context, n *note) error {
	for {
		select {
		case <-n.done:
			return nil
		case <-ctx.Done():
			return ctx.Err() // it waits for the next one
		case l.turn <- struct{}{}:
		}
		select {
		case <-n.done:
			<-l.turn
			return nil
		default:
		}
		err := l.write()
		<-l.turn
		if err != nil {
			return err
		}
	}
}

// write stores the first of what waits. Its caller holds the turn.
func (l *Log) write() error {
	l.mu.Lock()
	batch := slices.Clone(l.waiting[:min(len(l.waiting), maxBatch)])
	l.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stored, err := l.lookBack(ctx, batch)
	if err != nil {
		return err
	}
	if stored > 0 {
		l.settle(batch[:stored])
		return nil
	}
	entries := make([]cluster.AuditEntry, len(batch))
	for i, n := range batch {
		n.tried = true
		entries[i] = n.entry
	}
	if err := l.store.AppendAudit(ctx, entries); err != nil {
		return err
	}
	l.settle(batch)
	return nil
}

// settle answers for the first of what waits: they are stored.
func (l *Log) settle(batch []*note) {
	l.mu.Lock()
	l.waiting = slices.Delete(l.waiting, 0, len(batch))
	l.mu.Unlock()
	for _, n := range batch {
		close(n.done)
	}
}

// lookBack finds out how many of the batch are there already: the write before may
// have had an effect, although it failed.
func (l *Log) lookBack(ctx context.Context, batch []*note) (stored int, err error) {
	for _, n := range batch {
		if !n.tried {
			break
		}
		e := &n.entry
		at := cluster.AuditFilter{UserID: e.UserID, Action: e.Action, Target: e.Target, Outcome: e.Outcome, Since: e.Time, Until: e.Time.Add(1)}
		there, err := l.store.ListAudit(ctx, at, 0, maxBatch)
		if err != nil {
			return 0, err
		}
		if !slices.ContainsFunc(there, func(t cluster.AuditEntry) bool { return same(t, *e) }) {
			break
		}
		stored++
	}
	return stored, nil
}

// same compares what a store has with what it was given.
func same(stored, given cluster.AuditEntry) bool {
	at := stored.Time.Equal(given.Time)
	stored.Time, stored.Seq = given.Time, given.Seq
	return at && stored == given
}

// Close stores what waits still.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	waiting := slices.Clone(l.waiting)
	l.mu.Unlock()
	var errs []error
	if len(waiting) > 0 {
		errs = append(errs, l.await(ctx, waiting[len(waiting)-1]))
	}
	return errors.Join(errs...)
}

// Entries gives a page, the latest first: those below a Seq (0: any), and
// whether there are more. For administrators.
func (l *Log) Entries(ctx context.Context, p cluster.Principal, f cluster.AuditFilter, below int64, limit int) (list []cluster.AuditEntry, more bool, err error) {
	if err := p.Require(cluster.ScopeAdmin); err != nil {
		return nil, false, err
	}
	list, err = l.store.ListAudit(ctx, f, below, limit+1)
	if err != nil {
		return nil, false, cluster.StoreUnavailable(err)
	}
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}
