package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
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

func TestFirstAccount(t *testing.T) {
	o := newOffice(t)
	code := o.SetupCode()
	if len(code) < 12 {
		t.Fatalf("setup code %q", code)
	}
	_, err := o.Register(t.Context(), person("mallory"), false)
	o.wantErr("from elsewhere", err, cluster.ErrDenied)
	wrong := person("mallory")
	wrong.SetupCode = code[:len(code)-1]
	_, err = o.Register(t.Context(), wrong, false)
	o.wantErr("with a wrong code", err, cluster.ErrDenied)
	wrong.Password = ""
	_, err = o.Register(t.Context(), wrong, false)
	o.wantErr("the door comes before the form", err, cluster.ErrDenied)

	right := person("ann")
	right.SetupCode = code
	s, err := o.Register(t.Context(), right, false)
	if err != nil || s.User.Role != cluster.RoleAdmin || !s.ExpiresAt.Equal(o.now.Add(time.Hour).Truncate(time.Second)) {
		t.Fatalf("%+v, %v", s, err)
	}
	if o.SetupCode() != "" {
		t.Fatal("the code outlives the setup")
	}
	if s := o.register("bob"); s.User.Role != cluster.RoleUser {
		t.Fatalf("the second one is %s", s.User.Role)
	}
	o.restart()
	if o.SetupCode() != "" {
		t.Fatal("a restart sets up again")
	}
	if p, err := o.who(s.Token); err != nil || p.UserID != s.User.ID || !p.Admin() {
		t.Fatalf("the sign-in after a restart: %+v, %v", p, err)
	}
}

// Of many who want to be first one becomes the administrator.
func TestRaceToBeFirst(t *testing.T) {
	o := newOffice(t)
	var admins, others int
	var mu sync.Mutex
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			s, err := o.Register(context.Background(), person(fmt.Sprint("p", n)), true)
			for errors.Is(err, cluster.ErrBusy) {
				s, err = o.Register(context.Background(), person(fmt.Sprint("p", n)), true)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case s.User.Role == cluster.RoleAdmin:
				admins++
			default:
				others++
			}
		})
	}
	all.Wait()
	if admins != 1 || others != 5 {
		t.Fatalf("%d administrators, %d others", admins, others)
	}
}

func TestClosedRegistration(t *testing.T) {
	o := newOffice(t)
	o.open = false
	o.restart()
	ann := o.register("ann") // somebody has to begin
	_, err := o.Register(t.Context(), person("bob"), true)
	o.wantErr("a second one", err, cluster.ErrDenied)
	admin, _ := o.who(ann.Token)
	if _, err := o.AddUser(t.Context(), admin, NewUser{Name: "bob", Email: "bob@example.org", Password: password}); err != nil {
		t.Fatal(err)
	}
}

func TestRegistrationNamesEachBadField(t *testing.T) {
	o := newOffice(t)
	o.register("ann")
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		r    Registration
		want []string
	}{
		{Registration{}, []string{"name", "email", "password"}},
		{Registration{Name: " \t", Email: "x", Password: "short"}, []string{"name", "email", "password"}},
		{Registration{Name: "a\x1b[2J", Email: "a b@c.d", Password: strings.Repeat("x", 129)}, []string{"name", "email", "password"}},
		{Registration{Name: long, Email: long + "@example.org", Password: "\xff\xff\xff\xff\xff\xff\xff\xff"}, []string{"name", "email", "password"}},
		{Registration{Name: "\u202egnal", Email: "Ann <ann@example.org>", Password: password}, []string{"name", "email"}},
		{Registration{Name: "ok", Email: "a@b\r\nBcc: x@y", Password: password}, []string{"email"}},
		{Registration{Name: "ok", Email: "\"a\x00\"@b.c", Password: password}, []string{"email"}},
		{Registration{Name: "ok", Email: "a,b@c.d", Password: "ééééééé"}, []string{"email", "password"}},
	} {
		_, err := o.Register(t.Context(), c.r, true)
		var invalid *cluster.InvalidError
		if !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", c.r, err)
			continue
		}
		var got []string
		for _, f := range invalid.Fields {
			got = append(got, f.Location)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%+v: %v, want %v", c.r, got, c.want)
		}
	}
	for _, r := range []Registration{
		{Name: "Zoë 🦊", Email: "o'neil+x@sub.example.org", Password: "pässwörd"}, // eight characters
		{Name: "x", Email: "x@localhost", Password: strings.Repeat("é", 128)},
	} {
		if _, err := o.Register(t.Context(), r, true); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
	_, err := o.Register(t.Context(), Registration{Name: "x", Email: "ANN@Example.org", Password: password}, true)
	o.wantErr("an email that is taken", err, cluster.ErrConflict)
}

func TestLogin(t *testing.T) {
	o := newOffice(t)
	o.register("ann")
	s, err := o.Login(t.Context(), "Ann@EXAMPLE.org", password, there)
	if err != nil || s.User.Name != "ann" {
		t.Fatalf("%+v, %v", s, err)
	}
	for _, c := range [][2]string{{"ann@example.org", "wrong"}, {"nobody@example.org", password}, {"ann@example.org", strings.Repeat("x", 200)}, {strings.Repeat("x", 300), password}} {
		_, err := o.Login(t.Context(), c[0], c[1], there)
		o.wantErr(c[0], err, cluster.ErrUnauthenticated)
		if strings.Contains(err.Error(), "nobody") {
			t.Errorf("%v tells who has an account", err)
		}
	}
	_, err = o.Login(t.Context(), "", "", there)
	o.wantErr("an empty form", err, cluster.ErrInvalid)
	o.store.FailAt(1, faultstore.Refused)
	_, err = o.Login(t.Context(), "ann@example.org", password, there)
	o.wantErr("without the store", err, cluster.ErrUnavailable)
	o.now = o.now.Add(time.Hour)
	_, err = o.who(s.Token)
	o.wantErr("an hour later", err, cluster.ErrUnauthenticated)
}

// A sign-in that was ended stays so, whatever happens to the master; the others
// of the account go on.
func TestLogout(t *testing.T) {
	o := newOffice(t)
	one := o.register("ann")
	two, err := o.Login(t.Context(), "ann@example.org", password, there)
	if err != nil {
		t.Fatal(err)
	}
	o.store.FailWriteAt(1, faultstore.Refused)
	o.wantErr("without the store", o.Logout(t.Context(), one.Token), cluster.ErrUnavailable)
	if _, err := o.who(one.Token); err != nil {
		t.Fatalf("half signed out: %v", err)
	}
	for range 2 { // once more changes nothing
		if err := o.Logout(t.Context(), one.Token); err != nil {
			t.Fatal(err)
		}
		_, err = o.who(one.Token)
		o.wantErr("signed out", err, cluster.ErrUnauthenticated)
		o.restart()
	}
	if _, err := o.who(two.Token); err != nil {
		t.Fatalf("the other sign-in: %v", err)
	}
	o.now = o.now.Add(2 * time.Hour)
	three, _ := o.Login(t.Context(), "ann@example.org", password, there)
	if err := o.Logout(t.Context(), three.Token); err != nil || len(o.ended) != 1 {
		t.Fatalf("%d sign-ins are remembered as over, %v", len(o.ended), err)
	}
}

func TestChangePassword(t *testing.T) {
	o := newOffice(t)
	s := o.register("ann")
	p, _ := o.who(s.Token)
	_, err := o.ChangePassword(t.Context(), p, "wrong", "another one", there)
	o.wantErr("with a wrong one", err, cluster.ErrInvalid)
	_, err = o.ChangePassword(t.Context(), p, password, "short", there)
	o.wantErr("to a short one", err, cluster.ErrInvalid)
	_, err = o.ChangePassword(t.Context(), root, password, "another one", there)
	o.wantErr("of nobody's account", err, cluster.ErrDenied)
	narrow := p
	narrow.Scopes = cluster.Scopes
	_, err = o.ChangePassword(t.Context(), narrow, password, "another one", there)
	o.wantErr("by an API token", err, cluster.ErrDenied)

	now, err := o.ChangePassword(t.Context(), p, password, "another one", there)
	if err != nil {
		t.Fatal(err)
	}
	_, err = o.who(s.Token)
	o.wantErr("the sign-in before", err, cluster.ErrUnauthenticated)
	if _, err := o.who(now.Token); err != nil {
		t.Fatal(err)
	}
	_, err = o.Login(t.Context(), "ann@example.org", password, there)
	o.wantErr("with the one before", err, cluster.ErrUnauthenticated)
	if _, err := o.Login(t.Context(), "ann@example.org", "another one", there); err != nil {
		t.Fatal(err)
	}
}

func TestManagingAccounts(t *testing.T) {
	o := newOffice(t)
	annIn, bobIn := o.register("ann"), o.register("bob")
	ann, _ := o.who(annIn.Token)
	bob, _ := o.who(bobIn.Token)
	change := func(p cluster.Principal, id cluster.UserID, c UserChange) error {
		_, err := o.ChangeUser(t.Context(), p, id, c)
		return err
	}
	yes, no, admin, user, fresh := true, false, cluster.RoleAdmin, cluster.RoleUser, "a fresh one"

	_, err := o.Users(t.Context(), bob)
	o.wantErr("users by a user", err, cluster.ErrDenied)
	_, err = o.AddUser(t.Context(), bob, NewUser{})
	o.wantErr("adding by a user", err, cluster.ErrDenied)
	o.wantErr("a change by a user", change(bob, bob.UserID, UserChange{Role: &admin}), cluster.ErrDenied)
	o.wantErr("a removal by a user", o.RemoveUser(t.Context(), bob, ann.UserID), cluster.ErrDenied)
	o.wantErr("of nobody", change(ann, "x", UserChange{}), cluster.ErrNotFound)
	o.wantErr("demoting oneself", change(ann, ann.UserID, UserChange{Role: &user}), cluster.ErrConflict)
	o.wantErr("disabling oneself", change(ann, ann.UserID, UserChange{Disabled: &yes}), cluster.ErrConflict)
	o.wantErr("removing oneself", o.RemoveUser(t.Context(), ann, ann.UserID), cluster.ErrConflict)

	if err := change(ann, bob.UserID, UserChange{Role: &admin}); err != nil {
		t.Fatal(err)
	}
	if p, err := o.who(bobIn.Token); err != nil || !p.Admin() {
		t.Fatalf("a role counts at once: %+v, %v", p, err)
	}
	if err := change(ann, bob.UserID, UserChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	_, err = o.who(bobIn.Token)
	o.wantErr("disabled", err, cluster.ErrUnauthenticated)
	_, err = o.Login(t.Context(), "bob@example.org", password, there)
	o.wantErr("signing in while disabled", err, cluster.ErrDenied)
	if err := change(ann, bob.UserID, UserChange{Disabled: &no, Password: &fresh}); err != nil {
		t.Fatal(err)
	}
	_, err = o.who(bobIn.Token)
	o.wantErr("enabled again, the old sign-in", err, cluster.ErrUnauthenticated)
	again, err := o.Login(t.Context(), "bob@example.org", fresh, there)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.RemoveUser(t.Context(), ann, bob.UserID); err != nil {
		t.Fatal(err)
	}
	_, err = o.who(again.Token)
	o.wantErr("removed", err, cluster.ErrUnauthenticated)
	if list, err := o.Users(t.Context(), root); err != nil || len(list) != 1 || list[0].ID != ann.UserID {
		t.Fatalf("%+v, %v", list, err)
	}
}

// Whoever asks, an administrator is left; of two that turn on each other, one.
func TestLastAdministrator(t *testing.T) {
	o := newOffice(t)
	annIn, bobIn := o.register("ann"), o.register("bob")
	ann, _ := o.who(annIn.Token)
	yes, admin, user := true, cluster.RoleAdmin, cluster.RoleUser
	change := func(p cluster.Principal, id cluster.UserID, c UserChange) error {
		_, err := o.ChangeUser(t.Context(), p, id, c)
		return err
	}
	o.wantErr("demoting", change(root, ann.UserID, UserChange{Role: &user}), cluster.ErrConflict)
	o.wantErr("disabling", change(root, ann.UserID, UserChange{Disabled: &yes}), cluster.ErrConflict)
	o.wantErr("removing", o.RemoveUser(t.Context(), root, ann.UserID), cluster.ErrConflict)
	name := "Ann the Second"
	if err := change(root, ann.UserID, UserChange{Name: &name, Role: &admin}); err != nil {
		t.Fatalf("what leaves her an administrator: %v", err)
	}
	if err := change(ann, bobIn.User.ID, UserChange{Role: &admin}); err != nil {
		t.Fatal(err)
	}
	bob, _ := o.who(bobIn.Token)
	var gone atomic.Int64
	var both sync.WaitGroup
	for _, c := range []struct {
		by cluster.Principal
		of cluster.UserID
	}{{ann, bob.UserID}, {bob, ann.UserID}} {
		both.Go(func() {
			if err := o.RemoveUser(context.Background(), c.by, c.of); err == nil {
				gone.Add(1)
			} else if !errors.Is(err, cluster.ErrConflict) {
				t.Error(err)
			}
		})
	}
	both.Wait()
	left, err := o.Users(t.Context(), root)
	if err != nil || gone.Load() != 1 || len(left) != 1 || !administers(left[0]) {
		t.Fatalf("%d removed, left are %+v, %v", gone.Load(), left, err)
	}
}

// With the last account that is no administrator's the setup begins again.
func TestNobodyIsLeft(t *testing.T) {
	o := newOffice(t)
	u, err := o.AddUser(t.Context(), root, NewUser{Name: "bob", Email: "bob@example.org", Password: password})
	if err != nil || o.SetupCode() != "" {
		t.Fatalf("%v, setup code %q", err, o.SetupCode())
	}
	if err := o.RemoveUser(t.Context(), root, u.ID); err != nil || o.SetupCode() == "" {
		t.Fatalf("%v, setup code %q", err, o.SetupCode())
	}
}

func TestAPITokens(t *testing.T) {
	o := newOffice(t)
	s := o.register("ann")
	ann, _ := o.who(s.Token)
	bob, _ := o.who(o.register("bob").Token)
	token, secret, err := o.AddToken(t.Context(), bob, NewToken{Name: "ci", ExpiresAt: o.now.Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	p, until, err := o.Identify(t.Context(), secret)
	if err != nil || p.UserID != bob.UserID || !p.May(cluster.ScopeSubmit) || p.Admin() || !until.Equal(token.ExpiresAt) {
		t.Fatalf("%+v until %v, %v", p, until, err)
	}
	used, _ := o.Tokens(t.Context(), bob)
	if len(used) != 1 || !used[0].LastUsedAt.Equal(o.now.Truncate(time.Minute)) {
		t.Fatalf("its use is not noted: %+v", used)
	}
	for name, n := range map[string]NewToken{
		"no name":   {},
		"no scopes": {Name: "x", Scopes: []cluster.Scope{}},
		"unknown":   {Name: "x", Scopes: []cluster.Scope{"root"}},
		"twice":     {Name: "x", Scopes: []cluster.Scope{"read", "read"}},
		"too much":  {Name: "x", Scopes: []cluster.Scope{"admin"}},
		"over":      {Name: "x", ExpiresAt: o.now},
	} {
		_, _, err := o.AddToken(t.Context(), bob, n)
		o.wantErr(name, err, cluster.ErrInvalid)
	}
	_, _, err = o.AddToken(t.Context(), p, NewToken{Name: "longer"})
	o.wantErr("a token that makes tokens", err, cluster.ErrDenied)
	o.wantErr("a token that ends tokens", o.RemoveToken(t.Context(), p, token.ID), cluster.ErrDenied)
	o.wantErr("another's", o.RemoveToken(t.Context(), ann, token.ID), cluster.ErrNotFound)
	o.wantErr("a token that signs out", o.Logout(t.Context(), secret), cluster.ErrDenied)
	_, _, err = o.AddToken(t.Context(), cluster.Principal{UserID: "ghost", Role: cluster.RoleUser}, NewToken{Name: "x"})
	o.wantErr("for nobody's account", err, cluster.ErrConflict)

	o.now = o.now.Add(time.Minute)
	_, err = o.who(secret)
	o.wantErr("expired", err, cluster.ErrUnauthenticated)
	_, secret, _ = o.AddToken(t.Context(), bob, NewToken{Name: "for ever", Scopes: []cluster.Scope{"read"}})
	o.restart()
	if p, err := o.who(secret); err != nil || p.May(cluster.ScopeSubmit) {
		t.Fatalf("%+v, %v", p, err)
	}
	list, _ := o.Tokens(t.Context(), bob)
	if err := o.RemoveToken(t.Context(), bob, list[1].ID); err != nil {
		t.Fatal(err)
	}
	_, err = o.who(secret)
	o.wantErr("deleted", err, cluster.ErrUnauthenticated)

	_, local, err := o.AddToken(t.Context(), root, NewToken{Name: "remote", Scopes: []cluster.Scope{"admin"}})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := o.who(local); err != nil || p.UserID != cluster.LocalUser || !p.Admin() {
		t.Fatalf("%+v, %v", p, err)
	}
	_, secret, _ = o.AddToken(t.Context(), bob, NewToken{Name: "x"})
	if err := o.RemoveUser(t.Context(), root, bob.UserID); err != nil {
		t.Fatal(err)
	}
	_, err = o.who(secret)
	o.wantErr("of an account that is gone", err, cluster.ErrUnauthenticated)
	for _, s := range []string{"", "cloudai_", secret + "x", "x"} {
		_, err = o.who(s)
		o.wantErr(s, err, cluster.ErrUnauthenticated)
	}
}

// An account that is disabled, or whose password an administrator resets, is
// not trusted as it was: its API tokens end, and stay ended.
func TestTokensEndWithTrust(t *testing.T) {
	yes, no, fresh := true, false, "a fresh one"
	for name, change := range map[string]UserChange{"disabled": {Disabled: &yes}, "reset": {Password: &fresh}} {
		o := newOffice(t)
		o.register("root")
		in := o.register("bob")
		bob, _ := o.who(in.Token)
		_, secret, err := o.AddToken(t.Context(), bob, NewToken{Name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []UserChange{change, {Disabled: &no}} {
			if _, err := o.ChangeUser(t.Context(), root, bob.UserID, c); err != nil {
				t.Fatal(err)
			}
			_, err = o.who(secret)
			o.wantErr(name, err, cluster.ErrUnauthenticated)
		}
	}
}

// Who has verified the old password just before an administrator's reset does
// not undo it.
func TestResetBeatsAPasswordChangeUnderWay(t *testing.T) {
	o := newOffice(t)
	in := o.register("bob")
	seen, err := o.user(t.Context(), in.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	reset, stolen := "by the administrator", "by the thief"
	if _, err := o.ChangeUser(t.Context(), root, seen.ID, UserChange{Password: &reset}); err != nil {
		t.Fatal(err)
	}
	_, err = o.change(t.Context(), seen.ID, UserChange{Password: &stolen}, &seen)
	o.wantErr("the change", err, cluster.ErrUnauthenticated)
	if _, err := o.Login(t.Context(), "bob@example.org", reset, there); err != nil {
		t.Fatal(err)
	}
}

// A store that does not answer is no reason to take anybody for nobody.
func TestIdentifyWithoutStore(t *testing.T) {
	o := newOffice(t)
	s := o.register("ann")
	ann, _ := o.who(s.Token)
	_, secret, err := o.AddToken(t.Context(), ann, NewToken{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	o.store.Use(func(faultstore.Call) faultstore.Fault { return faultstore.Fault{Err: db.ErrUnavailable} })
	for _, c := range []string{s.Token, secret} {
		_, err := o.who(c)
		o.wantErr(c, err, cluster.ErrUnavailable)
	}
}
