// Package accounts is the one owner of who people are: accounts, sign-ins and
// API tokens. It decides who may have one and whom a credential speaks for;
// what that principal may do with tasks and workers is the coordinator's
// business, which it does not know.
//
// Nothing is answered before the store has it. Changes take turns, reads do
// not wait for them.
package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"cloudai/master/internal/auth"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// Store is what accounts keeps its things in.
type Store interface {
	db.Users
	db.Tokens
}

// Config is what Accounts is made of.
type Config struct {
	Store  Store
	Key    []byte        // signs sign-ins, 32 bytes and more
	Issuer string        // the cluster's id
	TTL    time.Duration // of a sign-in
	Open   bool          // anyone may register
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Accounts knows who people are. Its methods are safe for concurrent use.
type Accounts struct {
	store  Store
	signer *auth.Signer
	hasher *auth.Hasher
	guard  *guard
	ttl    time.Duration
	open   bool
	log    *slog.Logger
	now    func() time.Time

	turn chan struct{} // held by the one that changes something

	mu        sync.Mutex           // guards the two below
	ended     map[string]time.Time // sign-ins that are over before their time, until then
	setupCode string               // lets the first account be made from anywhere; empty once there is one
}

// New makes an Accounts; Load brings it to life.
func New(cfg Config) *Accounts {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Accounts{
		store: cfg.Store, signer: auth.NewSigner(cfg.Key, cfg.Issuer, cfg.Now), hasher: auth.NewHasher(), guard: newGuard(),
		ttl: cfg.TTL, open: cfg.Open, log: cfg.Log, now: cfg.Now,
		turn: make(chan struct{}, 1), ended: map[string]time.Time{},
	}
}

// Load reads what the store holds. It must have returned before any other
// call.
func (a *Accounts) Load(ctx context.Context) error {
	ended, err := a.store.EndedSessions(ctx, a.now())
	if err != nil {
		return fmt.Errorf("reading ended sign-ins: %w", err)
	}
	n, err := a.store.CountUsers(ctx)
	if err != nil {
		return fmt.Errorf("counting accounts: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = ended
	if n == 0 {
		a.setupCode = newSetupCode()
	}
	return nil
}

// newSetupCode gives 60 random bits to be typed by a person.
func newSetupCode() string {
	text := strings.ToLower(rand.Text())
	return text[:4] + "-" + text[4:8] + "-" + text[8:12]
}

// SetupCode is what lets the first account be made from anywhere; empty once
// there is an account.
func (a *Accounts) SetupCode() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.setupCode
}

// takeTurn waits for the turn to change something.
func (a *Accounts) takeTurn(ctx context.Context) (release func(), err error) {
	select {
	case a.turn <- struct{}{}:
		return func() { <-a.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", cluster.ErrUnavailable, ctx.Err())
	}
}

// user reads an account; cluster.ErrNotFound.
func (a *Accounts) user(ctx context.Context, id cluster.UserID) (cluster.User, error) {
	u, err := a.store.UserByID(ctx, id)
	if errors.Is(err, cluster.ErrNotFound) {
		return u, fmt.Errorf("%w: no account %s", cluster.ErrNotFound, id)
	}
	return u, unavailable(err)
}

// put writes an account; cluster.ErrConflict when its email is taken.
func (a *Accounts) put(ctx context.Context, u cluster.User) error {
	err := a.store.PutUser(context.WithoutCancel(ctx), u)
	if errors.Is(err, db.ErrVersion) {
		return fmt.Errorf("%w: there is an account with this email already", cluster.ErrConflict)
	}
	return unavailable(err)
}

// unavailable is what a caller hears of a store's failure.
func unavailable(err error) error {
	if err == nil || errors.Is(err, cluster.ErrUnavailable) || errors.Is(err, cluster.ErrNotFound) {
		return err
	}
	if errors.Is(err, db.ErrFull) {
		return cluster.StoreFull(err)
	}
	return cluster.StoreUnavailable(err)
}

// newID gives 80 random bits as 16 lower-case letters and digits.
func newID() string { return strings.ToLower(rand.Text()[:16]) }
