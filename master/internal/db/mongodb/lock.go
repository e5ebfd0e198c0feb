package mongodb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"cloudai/master/internal/db"
)

// lockRow is one claim to be the only writer. The highest epoch counts, and
// that no two masters have the same one is all that the server has to see to.
type lockRow struct {
	Epoch    int64  `bson:"_id"`
	Owner    string `bson:"owner"`    // the master's folder
	Instance string `bson:"instance"` // its process
	Holder   string `bson:"holder"`   // the same for people
	Lease    int64  `bson:"lease_ms"`
	Beat     int64  `bson:"beat"` // grows with each sign of life
	Released bool   `bson:"released"`
}

// ownerFile keeps what tells a master's folder from all others.
const ownerFile = "mongodb-owner"

// ownerOf names the folder. The place is part of it: a copy of the folder is
// another one.
func ownerOf(dir string, lock *os.File) (string, error) {
	path := filepath.Join(dir, ownerFile)
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret = []byte(rand.Text())
		err = os.WriteFile(path, secret, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("store folder: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("store folder: %w", err)
	}
	info, err := lock.Stat()
	if err != nil {
		return "", fmt.Errorf("store folder: %w", err)
	}
	inode := uint64(0)
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = stat.Ino
	}
	return fmt.Sprintf("%s:%s:%d:%s", host, dir, inode, secret), nil
}

// holderName says who has the lease, for people.
func (s *Store) holderName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("process %d on %s with %s", os.Getpid(), host, s.opts.Dir)
}

// highest is the claim that counts; nil when there is none.
func (s *Store) highest(ctx context.Context) (*lockRow, error) {
	var row lockRow
	found, err := s.findOne(ctx, s.in.lock, bson.M{}, &row, options.FindOne().SetSort(order("-_id")))
	if !found {
		return nil, err
	}
	return &row, nil
}

// claimFirst takes the lease at the start: at once when it is free, after its
// whole length when its holder gives no sign of life, never from a living one.
func (w *writer) claimFirst(ctx context.Context) error {
	for {
		last, err := w.s.highest(ctx)
		if err != nil {
			return err
		}
		// The folder is locked, so that its former master is dead.
		free := last == nil || last.Released || last.Owner == w.s.owner
		if !free {
			w.s.log.Info("waiting whether another master lives", "holder", last.Holder, "lease", last.duration().String())
			if err := w.watch(ctx, last); err != nil {
				return err
			}
		}
		err = w.claim(ctx, last)
		if errors.Is(err, db.ErrVersion) {
			continue // another one was quicker, and lives
		}
		if err != nil {
			return err
		}
		return w.outlast(ctx, last)
	}
}

func (r *lockRow) duration() time.Duration { return time.Duration(r.Lease) * time.Millisecond }

// watch looks for signs of life over a whole lease, by this machine's own
// steady clock; db.ErrLocked when there is one.
func (w *writer) watch(ctx context.Context, last *lockRow) error {
	until := time.Now().Add(last.duration())
	for {
		over := !time.Now().Before(until)
		now, err := w.s.highest(ctx)
		switch {
		case err != nil:
			return err
		case now == nil || now.Released:
			return nil
		case now.Epoch != last.Epoch || now.Beat != last.Beat:
			return fmt.Errorf("%w: database %s is held by %s; stop that one, or choose another MONGODB_DATABASE", db.ErrLocked, w.s.opts.Database, now.Holder)
		case over:
			return nil
		}
		if err := sleep(ctx, min(last.duration()/10+time.Millisecond, time.Until(until)+time.Millisecond)); err != nil {
			return err
		}
	}
}

// outlast waits one lease more when a former holder, which is not known to be
// dead, may have shown life after the last look at it: it stops at its next sign
// of life, which sees the claim. Only then its claim goes, so that who dies while
// it waits, or before, leaves the waiting to the next master.
func (w *writer) outlast(ctx context.Context, watched *lockRow) error {
	foreign := bson.M{"_id": bson.M{"$lt": w.epoch}, "released": false, "owner": bson.M{"$ne": w.s.owner}}
	former, err := findAll[lockRow](ctx, w.s, w.s.in.lock, foreign)
	if err != nil {
		return err
	}
	wait := time.Duration(0)
	for _, row := range former {
		if watched == nil || row.Epoch != watched.Epoch || row.Beat != watched.Beat {
			wait = max(wait, row.duration())
		}
	}
	if err := sleep(ctx, wait); err != nil {
		return err
	}
	w.forget(ctx)
	return nil
}

// forget removes the claims before the own one.
func (w *writer) forget(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.s.opts.Timeout)
	defer cancel()
	if _, err := w.s.in.lock.DeleteMany(ctx, bson.M{"_id": bson.M{"$lt": w.epoch}}); err != nil {
		w.s.log.Warn("old claims are left in the lock collection", "error", err)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// claim takes the epoch after the last one; db.ErrVersion when somebody else
// has it.
func (w *writer) claim(ctx context.Context, last *lockRow) error {
	row := lockRow{
		Epoch: 1, Owner: w.s.owner, Instance: w.instance, Holder: w.s.holderName(), Lease: w.s.opts.Lease.Milliseconds(),
	}
	if last != nil {
		row.Epoch = last.Epoch + 1
	}
	ctx, cancel := context.WithTimeout(ctx, w.s.opts.Timeout)
	defer cancel()
	sent := time.Now()
	if _, err := w.s.in.lock.InsertOne(ctx, row); err != nil {
		return writeError(err)
	}
	w.epoch, w.beat, w.until = row.Epoch, 0, sent.Add(w.s.opts.Lease)
	return nil
}

// claimAgain is claim for a master that had the lease; db.ErrLocked when
// another one has it now.
func (w *writer) claimAgain(ctx context.Context) error {
	last, err := w.s.highest(ctx)
	if err != nil {
		return err
	}
	if last != nil && last.Instance != w.instance {
		return w.lose(last)
	}
	err = w.claim(ctx, last)
	if err == nil {
		w.forget(ctx)
	}
	if !errors.Is(err, db.ErrVersion) {
		return err
	}
	if last, err = w.s.highest(ctx); err == nil && last != nil && last.Instance != w.instance {
		return w.lose(last)
	}
	return fmt.Errorf("%w: the lease was not claimed: %w", db.ErrUnavailable, err)
}

// renew shows life. The lease counts from before the call, and only when no
// later claim was there after it.
func (w *writer) renew(ctx context.Context) error {
	sent := time.Now()
	res, err := w.s.in.lock.UpdateOne(ctx, bson.M{"_id": w.epoch, "instance": w.instance}, bson.M{"$set": bson.M{"beat": w.beat + 1}})
	if err != nil {
		return writeError(err)
	}
	last, err := w.s.highest(ctx)
	switch {
	case err != nil:
		return err
	case last == nil || last.Epoch != w.epoch || res.MatchedCount == 0:
		return w.lose(last)
	}
	w.beat++
	w.until = sent.Add(w.s.opts.Lease)
	return nil
}

// lose notes for good that another master has the lease.
func (w *writer) lose(to *lockRow) error {
	holder := "nobody known"
	if to != nil {
		holder = to.Holder
	}
	w.lost = fmt.Errorf("%w: database %s has been taken over by %s", db.ErrLocked, w.s.opts.Database, holder)
	select {
	case w.s.lost <- w.lost:
	default:
	}
	return w.lost
}

// release lets the next master start at once.
func (w *writer) release() {
	ctx, cancel := context.WithTimeout(context.Background(), min(w.s.opts.Timeout, selectLimit))
	defer cancel()
	_, err := w.s.in.lock.UpdateOne(ctx, bson.M{"_id": w.epoch, "instance": w.instance}, bson.M{"$set": bson.M{"released": true}})
	if err != nil && !mongo.IsTimeout(err) {
		w.s.log.Warn("the lease was not given back; the next master waits until it has run out", "error", err)
	}
}
