package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cloudai/master/internal/cluster"
)

// Config says where and how files are kept.
type Config struct {
	Dir      string // made when it is not there
	Reserve  int64  // MiB of the disk that uploads leave free; 0: a tenth of it, at most 256
	MaxFiles int    // of one attempt; 0: 250,000

	// Free gives the bytes that are free on the disk of Dir; nil asks the
	// system.
	Free func() (int64, error)
	// Quota gives the bytes that a user's files may take, 0: any number; nil:
	// nobody has a bound. It is asked for each piece of a file.
	Quota func(cluster.UserID) int64
}

// Keeper keeps the files of all tasks. All methods are safe for concurrent
// use; those about one attempt happen one after the other.
type Keeper struct {
	root     *os.Root
	reserve  int64 // bytes
	maxFiles int
	free     func() (int64, error)
	quota    func(cluster.UserID) int64
	use      *ledger
	trashed  atomic.Int64 // makes names in the trash unique
	born     int64
	received atomic.Int64 // bytes of files taken since the start

	mu     sync.Mutex
	reads  map[string]int                // readings under way, by the folder that is read
	going  map[string]bool               // folders that are being removed
	stages map[cluster.AttemptRef]*stage // in use, or with an upload under way
	over   map[cluster.AttemptRef]bool   // discarded lately; a late piece would begin anew
	recent []cluster.AttemptRef          // the same, oldest first
}

// Received is how many bytes of output files have been taken since the start.
func (k *Keeper) Received() int64 { return k.received.Load() }

// maxRecent is how many discarded attempts are remembered.
const maxRecent = 4096

// stage is what is known of an attempt's upload beyond what the disk says. The
// holder of turn may use it.
type stage struct {
	dir   string
	turn  chan struct{} // of capacity 1
	files map[string]*upload

	refs int // under Keeper.mu
}

// New opens the folder, and makes it where needed.
func New(cfg Config) (*Keeper, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the files' folder: %w", err)
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the files' folder: %w", err)
	}
	for _, dir := range []string{stagingDir, trashDir} {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			return nil, errors.Join(fmt.Errorf("make %s: %w", dir, err), root.Close())
		}
	}
	k := &Keeper{
		root:     root,
		reserve:  cfg.Reserve << 20,
		maxFiles: cmp.Or(cfg.MaxFiles, 250_000),
		free:     cfg.Free,
		quota:    cfg.Quota,
		use:      newLedger(),
		born:     time.Now().UnixNano(),
		reads:    make(map[string]int),
		going:    make(map[string]bool),
		stages:   make(map[cluster.AttemptRef]*stage),
		over:     make(map[cluster.AttemptRef]bool),
	}
	_, total, err := Room(cfg.Dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ask for the size of the disk: %w", err), root.Close())
	}
	if k.reserve == 0 {
		k.reserve = DefaultReserve(total)
	}
	if k.quota == nil {
		k.quota = func(cluster.UserID) int64 { return 0 }
	}
	if k.free == nil {
		k.free = func() (int64, error) {
			free, _, err := Room(cfg.Dir)
			return free, err
		}
	}
	return k, nil
}

// DefaultReserve is what is left free of a disk of that size, in bytes.
func DefaultReserve(total int64) int64 { return min(256<<20, total/10) }

// Close gives the folder back. No other call may be under way or follow.
func (k *Keeper) Close() error { return k.root.Close() }

// lock takes the turn of an attempt's stage.
func (k *Keeper) lock(ctx context.Context, ref cluster.AttemptRef) (*stage, error) {
	dir, err := stagingOf(ref)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	s := k.stages[ref]
	if s == nil {
		s = &stage{dir: dir, turn: make(chan struct{}, 1)}
		k.stages[ref] = s
	}
	s.refs++
	k.mu.Unlock()
	select {
	case s.turn <- struct{}{}:
		return s, nil
	case <-ctx.Done():
		k.release(ref, s)
		return nil, ctx.Err()
	}
}

// unlock gives the turn back. What is known of an upload stays known until
// the attempt is published or discarded.
func (k *Keeper) unlock(ref cluster.AttemptRef, s *stage) {
	<-s.turn
	k.release(ref, s)
}

func (k *Keeper) release(ref cluster.AttemptRef, s *stage) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s.refs--
	if s.refs == 0 && len(s.files) == 0 {
		delete(k.stages, ref)
	}
}

// Discard removes the staged files of an attempt that is over, and refuses
// pieces that were on their way. Repeating it is a no-op.
func (k *Keeper) Discard(ref cluster.AttemptRef) error {
	s, err := k.lock(context.Background(), ref)
	if err != nil {
		return err
	}
	defer k.unlock(ref, s)
	k.markOver(ref)
	return k.discard(s)
}

// markOver remembers that an attempt takes nothing any more.
func (k *Keeper) markOver(ref cluster.AttemptRef) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over[ref] {
		return
	}
	if len(k.recent) == maxRecent {
		delete(k.over, k.recent[0])
		k.recent = k.recent[1:]
	}
	k.over[ref] = true
	k.recent = append(k.recent, ref)
}

func (k *Keeper) isOver(ref cluster.AttemptRef) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.over[ref]
}

func (k *Keeper) discard(s *stage) error {
	s.files = nil
	if err := k.remove(s.dir); err != nil {
		return err
	}
	return k.removeEmpty(path.Dir(s.dir))
}

// RemoveTask deletes the published files of a task. Repeating it is a no-op.
func (k *Keeper) RemoveTask(owner cluster.UserID, task cluster.TaskID) error {
	home, err := homeOf(owner, task)
	if err != nil {
		return err
	}
	return k.remove(home)
}

// FilesRead reports whether files of the task are being read at this moment.
func (k *Keeper) FilesRead(owner cluster.UserID, task cluster.TaskID) bool {
	home, err := homeOf(owner, task)
	k.mu.Lock()
	defer k.mu.Unlock()
	return err == nil && k.reads[home] > 0
}

// RemoveUnread is RemoveTask unless files of the task are being read:
// cluster.ErrConflict. Who comes meanwhile finds none.
func (k *Keeper) RemoveUnread(owner cluster.UserID, task cluster.TaskID) error {
	home, err := homeOf(owner, task)
	if err != nil {
		return err
	}
	k.mu.Lock()
	busy := k.reads[home] > 0 || k.going[home]
	if !busy {
		k.going[home] = true
	}
	k.mu.Unlock()
	if busy {
		return fmt.Errorf("%w: files of task %s are being read", cluster.ErrConflict, task)
	}
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.going, home)
	}()
	return k.remove(home)
}

// read keeps a folder from RemoveUnread until the reading is over.
func (k *Keeper) read(home string) (done func(), err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.going[home] {
		return nil, fmt.Errorf("%w: the files were removed", cluster.ErrNotFound)
	}
	k.reads[home]++
	return sync.OnceFunc(func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.reads[home]--; k.reads[home] == 0 {
			delete(k.reads, home)
		}
	}), nil
}

// remove makes a folder vanish at once and deletes it then; what a crash
// leaves in the trash goes with the next sweep.
func (k *Keeper) remove(dir string) error {
	away := path.Join(trashDir, strconv.FormatInt(k.born, 36)+"-"+strconv.FormatInt(k.trashed.Add(1), 36))
	err := k.root.Rename(dir, away)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	k.use.drop(dir)
	if err := k.root.RemoveAll(away); err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	return nil
}

// removeEmpty removes a folder that nothing is in any more.
func (k *Keeper) removeEmpty(dir string) error {
	err := k.root.Remove(dir)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) {
		return nil
	}
	return fmt.Errorf("remove %s: %w", dir, err)
}

// exists reports whether a folder is there.
func (k *Keeper) exists(dir string) (bool, error) {
	_, err := k.root.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// full maps what the system says of a full disk.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: the disk is full: %w", cluster.ErrQuota, err)
	}
	return err
}
