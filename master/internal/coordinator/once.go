package coordinator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// KeyLifetime is how long a request's key counts.
const KeyLifetime = 24 * time.Hour

// Once makes a request take effect once, however often it is sent. The zero
// value is a request without a key.
type Once struct {
	Key   string // the caller's name for the request
	Print string // equal for equal requests
	// Reply writes the reply that is kept with the key. It is called before the
	// task is stored, since both are one write.
	Reply func(TaskView) ([]byte, error)
}

// Created is what a request has made.
type Created struct {
	TaskView // of the new task at its first version; only its ID when the reply was kept
	// Kept is the reply to the first request with this key; nil when this is the
	// first.
	Kept []byte
}

// The routes that keys are apart for.
const (
	routeSubmit = "submit"
	routeRetry  = "retry"
)

var errOtherRequest = cluster.Invalid("Idempotency-Key", "names another request of the last 24 hours; a new request needs a new key")

// printOf is the print of a request that is made of these.
func printOf(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// admit stores a new task, unless an earlier request with the same key has done
// so. Whether it has, the store says: the key is in the same write, so there is
// no moment between looking and writing.
func (c *Coordinator) admit(ctx context.Context, a admission, route string, once Once) (Created, error) {
	full := c.mayAdd(a.user)
	if once.Key == "" {
		if full != nil {
			return Created{}, full
		}
		return c.enter(ctx, a, once)
	}
	a.key, a.print = &db.KeyName{UserID: a.user, Route: route, Key: once.Key}, once.Print
	if full != nil { // which does not unmake what the key's first request has made
		created, err := c.keptReply(ctx, *a.key, a.print)
		if isNotFound(err) {
			err = full
		}
		return created, err
	}
	for range 3 {
		created, err := c.enter(ctx, a, once)
		if !errors.Is(err, db.ErrKeyTaken) {
			return created, err
		}
		created, err = c.keptReply(ctx, *a.key, a.print)
		if isNotFound(err) {
			continue // it has run out and was forgotten since
		}
		return created, err
	}
	return Created{}, fmt.Errorf("%w: the key's first request keeps changing", cluster.ErrUnavailable)
}

// keptReply is what the key's first request was answered; cluster.ErrNotFound
// when there was none.
func (c *Coordinator) keptReply(ctx context.Context, name db.KeyName, print string) (Created, error) {
	first, err := c.store.Key(ctx, name)
	switch {
	case isNotFound(err):
		return Created{}, err
	case err != nil:
		return Created{}, unavailable(err)
	case first.Print != print:
		return Created{}, errOtherRequest
	}
	return Created{TaskView: TaskView{Task: cluster.Task{ID: first.TaskID}}, Kept: first.Reply}, nil
}

// enter stores a new task, and its key with it.
func (c *Coordinator) enter(ctx context.Context, a admission, once Once) (Created, error) {
	a.id = cluster.TaskID(c.newID())
	var view TaskView
	now := c.now()
	st, err := c.try(func(now time.Time) (st step, err error) {
		view, st, err = c.m.admit(now, a)
		return st, err
	})
	if err != nil {
		return Created{}, err
	}
	if a.key != nil {
		key, err := admissionKey(a, view, once, now)
		if err != nil {
			c.decide(func(now time.Time) step { return c.m.committed(now, st.writes[0], err) })
			return Created{}, err
		}
		st.writes[0].Key = key
	}
	st.writes[0].sign(ctx, a.id, a.retried)
	return Created{TaskView: view}, c.carryOut(ctx, st)
}

// admissionKey is the key of an admission as it is stored.
func admissionKey(a admission, view TaskView, once Once, now time.Time) (*db.Key, error) {
	reply, err := once.Reply(view)
	if err != nil {
		return nil, fmt.Errorf("writing the reply: %w", err)
	}
	return &db.Key{
		Name: *a.key, Print: a.print, TaskID: a.id, Reply: reply, StoredAt: now, ExpiresAt: now.Add(KeyLifetime),
	}, nil
}

// How keys that have run out are forgotten: often enough that few are there,
// in steps that other writes pass between.
const (
	forgetEvery = 10 * time.Minute
	forgetStep  = 500
)

// forgetKeys forgets keys that have run out until the context ends.
func (c *Coordinator) forgetKeys(ctx context.Context) {
	timer := time.NewTimer(forgetEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		n, err := c.store.ForgetKeys(ctx, c.now(), forgetStep)
		if err != nil && ctx.Err() == nil {
			c.log.Warn("forgetting old keys of requests; it is tried again", "error", err)
		}
		if n < forgetStep {
			timer.Reset(forgetEvery)
		} else {
			timer.Reset(0)
		}
	}
}
