package accounts

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/throttle"
)

// How many passwords may be tried, and how much is remembered of it.
const (
	mostPerAccount = 10
	mostPerAddress = 100
	tryWindow      = 15 * time.Minute
	triesKnown     = 1 << 16 // accounts and addresses each
	homesKnown     = 8       // addresses of one account
)

// guard bounds the guessing of passwords: by account, against many who guess
// one, and by address, against one who guesses many. Who refused everybody a
// guessed account would let anybody lock its owner out for as long as they
// like: so an address from which the account has signed in is a home of it,
// where only failures from there count, and none of others. All of it is in
// memory: a restart forgives.
//
// A try counts as failed until it is known to be good, so that no more run side
// by side than may fail. One that is refused is not counted, and its password
// not looked at.
type guard struct {
	accounts  *throttle.Window // from anywhere but the account's homes
	addresses *throttle.Window
	homes     *throttle.Window // of an account at one home

	mu      sync.Mutex
	address map[string][]string // an account's homes, the latest last
}

func newGuard() *guard {
	return &guard{
		accounts:  throttle.New(mostPerAccount, tryWindow, triesKnown),
		addresses: throttle.New(mostPerAddress, tryWindow, triesKnown),
		homes:     throttle.New(mostPerAccount, tryWindow, triesKnown),
		address:   map[string][]string{},
	}
}

// accountKey is an account, or for want of one the email that was tried: a
// wrong email must not be told from a wrong password here either.
func accountKey(id cluster.UserID, email string) string {
	if id == "" {
		return "email " + strings.ToLower(email)
	}
	return "user " + string(id)
}

// network is an address as it is counted: whoever has one IPv6 address has all
// of its /64.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		if net, err := ip.Prefix(64); err == nil {
			return net.String()
		}
	}
	return ip.String()
}

// try is one that is counted as failed so far.
type try struct {
	guard            *guard
	account, network string
	counted          []counted
}

type counted struct {
	by  *throttle.Window
	key string
}

// begin counts a try to sign in: a *cluster.WaitError when there were too many.
// Those who may use the master's files, whose address is empty, need not guess.
func (g *guard) begin(account, address string, now time.Time) (*try, error) {
	t := &try{guard: g, account: account, network: network(address)}
	switch {
	case address == "":
		return t, nil
	case g.isHome(account, t.network):
		return t, t.take(g.homes, account+" "+t.network, now)
	}
	err := t.take(g.addresses, t.network, now)
	if err == nil {
		err = t.take(g.accounts, account, now)
	}
	return t, err
}

// beginSignedIn is begin for one who is signed in and shows the password again.
func (g *guard) beginSignedIn(account, address string, now time.Time) (*try, error) {
	t := &try{guard: g, account: account, network: network(address)}
	if address == "" {
		return t, nil
	}
	return t, t.take(g.homes, "signed in "+account+" "+t.network, now)
}

func (t *try) take(by *throttle.Window, key string, now time.Time) error {
	wait := by.Take(key, now)
	if wait == 0 {
		t.counted = append(t.counted, counted{by, key})
		return nil
	}
	t.takeBack()
	return &cluster.WaitError{
		Said:  "too many failed sign-ins; wait " + wait.Round(time.Second).String() + ", or ask an administrator for a new password",
		After: wait,
	}
}

// takeBack uncounts the try, which says nothing about the password.
func (t *try) takeBack() {
	for _, c := range t.counted {
		c.by.Return(c.key)
	}
	t.counted = nil
}

// succeeded uncounts the try and makes its address a home of the account.
func (t *try) succeeded() {
	t.takeBack()
	if t.network == "" {
		return
	}
	g := t.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	homes := slices.DeleteFunc(g.address[t.account], func(n string) bool { return n == t.network })
	if len(homes) >= homesKnown {
		homes = homes[1:]
	}
	g.address[t.account] = append(homes, t.network)
}

func (g *guard) isHome(account, network string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Contains(g.address[account], network)
}

// forgive forgets the failures of an account that has got another password.
func (g *guard) forgive(account string) {
	g.accounts.Forget(account)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, home := range g.address[account] {
		g.homes.Forget(account + " " + home)
	}
}

// forget forgets an account that is gone.
func (g *guard) forget(account string) {
	g.forgive(account)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.address, account)
}
