package storage

import (
	"context"
	"fmt"
	"io/fs"
	"sync"

	"cloudai/master/internal/cluster"
)

// ledger knows what the files of each user take. It mirrors the disk: each
// folder of files, staged or published, has one entry that goes, moves and
// grows with it, so that a user's use is always the sum of what is there.
type ledger struct {
	mu      sync.Mutex
	folders map[string]holding // by path; those that hold bytes
	users   map[cluster.UserID]int64
}

// holding is what one folder takes.
type holding struct {
	owner cluster.UserID
	size  int64 // bytes
}

func newLedger() *ledger {
	return &ledger{folders: make(map[string]holding), users: make(map[cluster.UserID]int64)}
}

func (l *ledger) used(owner cluster.UserID) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.users[owner]
}

// set says what a folder takes.
func (l *ledger) set(dir string, owner cluster.UserID, size int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.setLocked(dir, holding{owner, size})
}

func (l *ledger) setLocked(dir string, h holding) {
	before := l.folders[dir]
	l.addLocked(before.owner, -before.size)
	l.addLocked(h.owner, h.size)
	if h.size == 0 {
		delete(l.folders, dir)
		return
	}
	l.folders[dir] = h
}

func (l *ledger) addLocked(owner cluster.UserID, n int64) {
	if l.users[owner] += n; l.users[owner] == 0 {
		delete(l.users, owner)
	}
}

// move says that a folder has another path now.
func (l *ledger) move(from, to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.folders[from]
	l.setLocked(from, holding{})
	l.setLocked(to, h)
}

// drop says that a folder is gone.
func (l *ledger) drop(dir string) { l.set(dir, "", 0) }

// grow adds n bytes to a folder, unless that and what is still to come of the
// same file goes over the quota (0: there is none).
func (l *ledger) grow(dir string, owner cluster.UserID, n, rest, quota int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	use := cluster.FileUse{Used: l.users[owner], Quota: quota}
	if need := n + rest; need > 0 && use.Bounded() && need > use.Room() {
		return fmt.Errorf("%w: the user's output files take %s, and %s more would go over", cluster.ErrQuota, use, cluster.BytesInWords(need))
	}
	l.setLocked(dir, holding{owner, l.folders[dir].size + n})
	return nil
}

// shrink takes n bytes of a folder away.
func (l *ledger) shrink(dir string, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.folders[dir]
	h.size -= n
	l.setLocked(dir, h)
}

// Use is what the files of a user take, those that are being uploaded among
// them, and what they may.
func (k *Keeper) Use(owner cluster.UserID) cluster.FileUse {
	return cluster.FileUse{Used: k.use.used(owner), Quota: k.quota(owner)}
}

// measure finds out what a stage takes that an earlier process has left.
func (k *Keeper) measure(ctx context.Context, dir string, owner cluster.UserID) error {
	var size int64
	err := walk(ctx, k.root, dir, func(_ string, d fs.DirEntry) error {
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("measure %s: %w", dir, err)
	}
	k.use.set(dir, owner, size)
	return nil
}
