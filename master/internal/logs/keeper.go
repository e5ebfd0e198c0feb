package logs

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"cloudai/master/internal/cluster"
)

// Source streams logs from workers.
type Source interface {
	// StreamLogs gives the log of the attempt from the two offsets on to sink,
	// as it comes, and returns the log's lengths when it is complete. An error
	// of sink ends the stream and is returned. The chunks belong to sink only
	// until it returns.
	StreamLogs(ctx context.Context, to cluster.Target, ref cluster.AttemptRef, from cluster.LogOffsets,
		sink func([]cluster.LogChunk) error) (end *cluster.LogOffsets, err error)
}

// Config says where and how logs are kept.
type Config struct {
	Dir    string // the logs' own folder; made when it is not there
	Limit  int64  // bytes kept of one attempt's log, before its last 64 KiB; 0: 1 GiB
	Source Source
	Logger *slog.Logger     // nil: none
	Now    func() time.Time // nil: time.Now

	// FollowDelay is how long after Follow the worker is first asked: a task
	// that is over by then brings its log with its result. 0: at once.
	FollowDelay time.Duration
	// Room is an error while the disk has too little left for more than the ends
	// of logs; nil: never. What a worker sends is refused then with
	// cluster.ErrUnavailable, so that it keeps it and tries again.
	Room func() error
	// FinishWait is how long Finish waits for the next byte of a follower.
	// 0: 250 ms.
	FinishWait time.Duration
}

// Keeper keeps the copies of all logs. All methods are safe for concurrent
// use.
type Keeper struct {
	cfg  Config
	root *dirSync
	kick chan struct{} // of capacity 1: a follower waits to be started

	mu        sync.Mutex
	logs      map[key]*attemptLog // in use, or not complete and held in part in memory
	followers map[key]*follower
	empty     recent                 // logs that were sealed without a byte
	going     map[cluster.TaskID]int // whose logs are being removed
	born      time.Time

	received atomic.Int64 // bytes of logs taken since the start
}

// Received is how many bytes of logs have been taken since the start, pushed or
// with a result.
func (k *Keeper) Received() int64 { return k.received.Load() }

// New makes a keeper and its folder. It starts nothing; see Run.
func New(cfg Config) (*Keeper, error) {
	cfg.Limit = cmp.Or(cfg.Limit, 1<<30)
	cfg.FinishWait = cmp.Or(cfg.FinishWait, 250*time.Millisecond)
	if cfg.Limit < 0 {
		return nil, fmt.Errorf("%w: log limit %d", cluster.ErrInvalid, cfg.Limit)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the logs' folder: %w", err)
	}
	return &Keeper{
		cfg:       cfg,
		root:      &dirSync{path: cfg.Dir},
		kick:      make(chan struct{}, 1),
		logs:      make(map[key]*attemptLog),
		followers: make(map[key]*follower),
		going:     make(map[cluster.TaskID]int),
		born:      time.Now(),
	}, nil
}

// Append adds chunks pushed by a worker. What is there already is skipped; a
// hole is refused with cluster.ErrConflict, as is anything beyond the end of a
// log that is complete.
func (k *Keeper) Append(ref cluster.AttemptRef, chunks []cluster.LogChunk) error {
	l, err := k.acquire(key{ref.TaskID, ref.Attempt})
	if err != nil {
		return err
	}
	defer k.release(l)
	return k.appendTo(context.Background(), l, chunks)
}

// appendTo appends, and keeps the log known until it is complete: a part of it
// may be in memory only.
func (k *Keeper) appendTo(ctx context.Context, l *attemptLog, chunks []cluster.LogChunk) error {
	if k.cfg.Room != nil {
		if err := k.cfg.Room(); err != nil {
			return fmt.Errorf("%w: no more of a log can be kept: %w", cluster.ErrUnavailable, err)
		}
	}
	if err := l.lockToWrite(ctx, k.cfg.Now()); err != nil {
		return err
	}
	defer l.unlock()
	err := l.append(k.cfg.Now(), chunks)
	if !l.w.disk.pos.sealed {
		k.mu.Lock()
		l.pinned = true
		k.mu.Unlock()
	}
	return err
}

// Offsets are how much of each stream the copy has; zero when it cannot be
// read.
func (k *Keeper) Offsets(ref cluster.AttemptRef) cluster.LogOffsets {
	return k.look(ref).reach
}

// Size is the copy's length in bytes over all.
func (k *Keeper) Size(ref cluster.AttemptRef) int64 { return k.look(ref).pos.size }

// look gives what is published of a log.
func (k *Keeper) look(ref cluster.AttemptRef) published {
	l, err := k.acquire(key{ref.TaskID, ref.Attempt})
	if err != nil {
		return published{}
	}
	defer k.release(l)
	if p := l.state(false); p.loaded {
		return p
	}
	if err := l.lock(context.Background()); err != nil {
		k.logger(l.key).Error("log cannot be read", "error", err)
		return published{}
	}
	l.unlock()
	return l.state(false)
}

// Finish completes the copy from end and flushes it to the disk. need is nil
// when it is complete and sealed; otherwise it says from where on the worker
// must push. While a follower brings the missing bytes, it waits for them.
func (k *Keeper) Finish(ctx context.Context, ref cluster.AttemptRef, end cluster.LogEnd) (need *cluster.LogOffsets, err error) {
	l, err := k.acquire(key{ref.TaskID, ref.Attempt})
	if err != nil {
		return nil, err
	}
	defer k.release(l)
	deadline := k.cfg.Now().Add(20 * k.cfg.FinishWait)
	for lost := false; ; {
		p, err := k.tryFinish(ctx, l, end, lost)
		if err != nil {
			return nil, fmt.Errorf("finish the log of task %s attempt %d: %w", ref.TaskID, ref.Attempt, err)
		}
		if p.pos.sealed {
			return nil, nil
		}
		if !lost && k.cfg.Now().Before(deadline) && k.awaitFollower(ctx, l.key, p.wake) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if lost || !end.Lost {
			return &p.reach, nil
		}
		lost = true
	}
}

// tryFinish makes one attempt to complete the log and gives the state after
// it; a change that comes later closes the wake channel in it.
func (k *Keeper) tryFinish(ctx context.Context, l *attemptLog, end cluster.LogEnd, lost bool) (published, error) {
	if err := l.lockToWrite(ctx, k.cfg.Now()); err != nil {
		return published{}, err
	}
	defer l.unlock()
	sealed, err := l.finish(k.cfg.Now(), end, lost)
	if err != nil {
		return published{}, err
	}
	if sealed {
		k.over(l)
		return l.state(false), nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	l.pinned = true // that it is open again, perhaps, is in memory only
	k.empty.remove(l.key)
	return l.state(true), nil
}

// Abandon ends the copy of an attempt that is lost with a marker that names
// attempt, byte and reason, and seals it. Repeating it is a no-op.
func (k *Keeper) Abandon(ctx context.Context, ref cluster.AttemptRef, reason string) error {
	l, err := k.acquire(key{ref.TaskID, ref.Attempt})
	if err != nil {
		return err
	}
	defer k.release(l)
	if err := l.lockToWrite(ctx, k.cfg.Now()); err != nil {
		return err
	}
	defer l.unlock()
	if err := l.abandon(k.cfg.Now(), reason); err != nil {
		return fmt.Errorf("abandon the log of task %s attempt %d: %w", ref.TaskID, ref.Attempt, err)
	}
	k.over(l)
	return nil
}

// Abandoned reports whether the copy was ended by Abandon, in this process or an
// earlier one. False when it cannot be read.
func (k *Keeper) Abandoned(ref cluster.AttemptRef) bool { return k.look(ref).pos.lost }

// over lets go of a log that is complete; its turn must be held.
func (k *Keeper) over(l *attemptLog) {
	k.unfollow(l.key)
	k.mu.Lock()
	defer k.mu.Unlock()
	l.pinned = false
	if l.w.disk.pos.size == 0 {
		k.empty.add(l.key)
	}
}

// acquire gives the one attemptLog of a key, to be released after use.
func (k *Keeper) acquire(at key) (*attemptLog, error) {
	if !safeName(string(at.task)) || at.attempt < 0 {
		return nil, fmt.Errorf("%w: no log can have task %q attempt %d", cluster.ErrInvalid, at.task, at.attempt)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.going[at.task] > 0 {
		return nil, fmt.Errorf("%w: the log was removed", cluster.ErrNotFound)
	}
	l := k.logs[at]
	if l == nil {
		base := filepath.Join(k.cfg.Dir, string(at.task), strconv.Itoa(at.attempt))
		l = &attemptLog{key: at, base: base, limit: k.cfg.Limit, turn: make(chan struct{}, 1), got: &k.received}
		l.w.disk = disk{base: base, root: k.root}
		if k.empty.has(at) {
			l.w.loaded, l.w.disk.pos.sealed = true, true
			l.pub = published{loaded: true, pos: l.w.disk.pos}
		}
		k.logs[at] = l
	}
	l.refs++
	return l, nil
}

func (k *Keeper) release(l *attemptLog) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l.refs--
	if l.refs == 0 && !l.pinned && k.logs[l.key] == l {
		delete(k.logs, l.key)
	}
}

func (k *Keeper) logger(at key) *slog.Logger {
	return k.cfg.Logger.With("task_id", at.task, "attempt", at.attempt)
}

// safeName reports whether an id may be the name of a folder. Ids are made by
// the master; this is the second lock on the door.
func safeName(s string) bool {
	if s == "" || len(s) > 200 || s[0] == '.' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// recent remembers the newest logs that were sealed without a byte. They leave
// no file, and a reader who comes between the seal and the commit of the
// result could not know otherwise.
type recent struct {
	known map[key]struct{}
	order []key
	next  int
}

const recentSize = 8192

func (r *recent) add(at key) {
	if r.has(at) {
		return
	}
	if r.known == nil {
		r.known = make(map[key]struct{})
	}
	r.known[at] = struct{}{}
	if len(r.order) < recentSize {
		r.order = append(r.order, at)
		return
	}
	delete(r.known, r.order[r.next])
	r.order[r.next] = at
	r.next = (r.next + 1) % recentSize
}

func (r *recent) remove(at key) { delete(r.known, at) }

func (r *recent) has(at key) bool {
	_, ok := r.known[at]
	return ok
}
