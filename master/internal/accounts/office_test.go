package accounts

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db/faultstore"
	"cloudai/master/internal/db/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var root = cluster.Principal{UserID: cluster.LocalUser, Role: cluster.RoleAdmin}

// office is an Accounts on a store that survives restarts, with a clock.
type office struct {
	*Accounts
	t      *testing.T
	memory *storetest.Memory
	store  *faultstore.Store
	now    time.Time
	open   bool
}

func newOffice(t *testing.T) *office {
	o := &office{t: t, memory: storetest.NewMemory(), now: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), open: true}
	o.start()
	return o
}

func (o *office) start() {
	o.t.Helper()
	o.store = faultstore.New(o.memory)
	o.Accounts = New(Config{
		Store: o.store, Key: []byte(strings.Repeat("k", 32)), Issuer: "c", TTL: time.Hour, Open: o.open,
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return o.now },
	})
	if err := o.Load(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) restart() {
	o.t.Helper()
	o.memory = o.memory.Reopen()
	o.start()
}

const password = "long enough"

func person(name string) Registration {
	return Registration{Name: name, Email: name + "@example.org", Password: password}
}

// register makes an account from the master's own machine.
func (o *office) register(name string) Session {
	o.t.Helper()
	s, err := o.Register(o.t.Context(), person(name), true)
	if err != nil {
		o.t.Fatal(err)
	}
	return s
}

func (o *office) who(credential string) (cluster.Principal, error) {
	p, _, err := o.Identify(o.t.Context(), credential)
	return p, err
}

func (o *office) wantErr(what string, err, want error) {
	o.t.Helper()
	if !errors.Is(err, want) {
		o.t.Fatalf("%s: %v, want %v", what, err, want)
	}
}
