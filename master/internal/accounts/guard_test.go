package accounts

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
)

// Addresses that people sign in from.
const there, elsewhere = "192.0.2.7", "198.51.100.9"

// wantWait wants to be told to come back after a time.
func wantWait(t *testing.T, what string, err error, after time.Duration) {
	t.Helper()
	var wait *cluster.WaitError
	if !errors.As(err, &wait) || !errors.Is(err, cluster.ErrBusy) || wait.After != after {
		t.Fatalf("%s: %v (%+v), want to wait %s", what, err, wait, after)
	}
}

// After ten failures not even the right password gets in: otherwise guessing
// would go on.
func TestTenFailuresOfAnAccount(t *testing.T) {
	o := newOffice(t)
	o.register("ann")
	login := func(password, address string) error {
		_, err := o.Login(t.Context(), "ann@example.org", password, address)
		return err
	}
	for i := range mostPerAccount {
		o.wantErr("a wrong one", login("wrong", fmt.Sprintf("192.0.2.%d", i)), cluster.ErrUnauthenticated)
		o.now = o.now.Add(time.Second)
	}
	wantWait(t, "one more", login("wrong", there), tryWindow-10*time.Second)
	wantWait(t, "the right one", login(password, elsewhere), tryWindow-10*time.Second)
	_, err := o.Login(t.Context(), "ANN@example.org", password, elsewhere)
	wantWait(t, "in another case", err, tryWindow-10*time.Second)
	if err := login(password, ""); err != nil {
		t.Fatalf("on the master's own machine: %v", err)
	}
	o.now = o.now.Add(tryWindow - 10*time.Second)
	if err := login(password, elsewhere); err != nil {
		t.Fatalf("when the first one is over: %v", err)
	}
}

// An account that does not exist is throttled like one that does.
func TestFailuresDoNotTellWhoIsThere(t *testing.T) {
	o := newOffice(t)
	o.register("ann")
	for _, email := range []string{"ann@example.org", "nobody@example.org"} {
		for i := range mostPerAccount {
			_, err := o.Login(t.Context(), email, "wrong", there)
			o.wantErr(fmt.Sprint(email, i), err, cluster.ErrUnauthenticated)
		}
		_, err := o.Login(t.Context(), email, "wrong", there)
		wantWait(t, email, err, tryWindow)
	}
}

// Who guesses from elsewhere does not lock the owner out at home, however long.
func TestOwnerGetsInWhileAnotherGuesses(t *testing.T) {
	o := newOffice(t)
	o.register("root")
	id := o.register("ann").User.ID
	login := func(password, address string) error {
		_, err := o.Login(t.Context(), "ann@example.org", password, address)
		return err
	}
	fail := func(address string) { // as Login does, without the cost of looking at a password
		_, _ = o.guard.begin(accountKey(id, ""), address, o.now)
	}
	if err := login(password, there); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for range mostPerAccount + 2 {
			fail(elsewhere)
		}
		wantWait(t, "elsewhere", login(password, elsewhere), tryWindow)
		if err := login(password, there); err != nil {
			t.Fatalf("at home: %v", err)
		}
		o.now = o.now.Add(tryWindow)
	}
	for range mostPerAccount {
		fail(there)
	}
	wantWait(t, "guessing at home", login(password, there), tryWindow)

	fresh := "given by the administrator"
	if _, err := o.ChangeUser(t.Context(), root, id, UserChange{Password: &fresh}); err != nil {
		t.Fatal(err)
	}
	if err := login(fresh, there); err != nil {
		t.Fatalf("with a new password: %v", err)
	}
	if err := o.RemoveUser(t.Context(), root, id); err != nil {
		t.Fatal(err)
	}
	if len(o.guard.address) != 0 {
		t.Fatalf("an account that is gone has homes: %v", o.guard.address)
	}
}

func TestHundredFailuresOfAnAddress(t *testing.T) {
	g, now := newGuard(), time.Now()
	for i := range mostPerAddress {
		if _, err := g.begin(fmt.Sprint("user ", i), there, now); err != nil {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	_, err := g.begin("user x", there, now)
	wantWait(t, "one more", err, tryWindow)
	if _, err := g.begin("user x", elsewhere, now); err != nil {
		t.Fatalf("elsewhere: %v", err)
	}
	// What the account has used up does not cost the address anything.
	for range mostPerAccount {
		_, _ = g.begin("user y", "203.0.113.5", now)
	}
	for range mostPerAddress {
		_, err := g.begin("user y", "203.0.113.6", now)
		wantWait(t, "a guessed account", err, tryWindow)
	}
	if _, err := g.begin("user z", "203.0.113.6", now); err != nil {
		t.Fatal(err)
	}
}

func TestNetworks(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3::4": "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "": "", "x": "x",
	} {
		if got := network(address); got != want {
			t.Errorf("%q counts as %q, want %q", address, got, want)
		}
	}
}

// However many guess whatever from wherever, what is remembered of it has a
// bound.
func TestGuardsMemory(t *testing.T) {
	g, now := newGuard(), time.Now()
	for i := range 2 * triesKnown {
		_, _ = g.begin(fmt.Sprint("email ", i), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), now)
	}
	if n := max(g.accounts.Len(), g.addresses.Len()); n > triesKnown {
		t.Fatalf("%d are known", n)
	}
	for i := range 100 {
		try, err := g.begin("user a", fmt.Sprintf("192.0.2.%d", i), now)
		if err != nil {
			t.Fatal(err)
		}
		try.succeeded()
	}
	if n := len(g.address["user a"]); n != homesKnown {
		t.Fatalf("%d homes", n)
	}
	if g.isHome("user a", "192.0.2.91") || !g.isHome("user a", "192.0.2.92") {
		t.Fatalf("the latest homes are %v", g.address["user a"])
	}
}

// A wrong present password is a failed sign-in too, but does not keep others
// of the account from theirs.
func TestGuessingWithAStolenSignIn(t *testing.T) {
	o := newOffice(t)
	s := o.register("ann")
	ann, _ := o.who(s.Token)
	for range mostPerAccount {
		_, err := o.ChangePassword(t.Context(), ann, "wrong", "another one", elsewhere)
		o.wantErr("a guess", err, cluster.ErrInvalid)
	}
	_, err := o.ChangePassword(t.Context(), ann, password, "another one", elsewhere)
	wantWait(t, "the right one", err, tryWindow)
	if _, err := o.ChangePassword(t.Context(), ann, password, "another one", there); err != nil {
		t.Fatal(err)
	}
}
