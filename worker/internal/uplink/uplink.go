// Package uplink is a worker's way to its master: the join token, the one
// connection that is kept, and the address at which this worker is called
// back.
package uplink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"sync"

	"cloudai/proto/netport"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
	"cloudai/worker/internal/agent"
)

// Config of an uplink.
type Config struct {
	MasterAddr string
	Token      string // the join token; empty: what TokenFile holds
	TokenFile  string
	Advertise  string // host or host:port; empty: found out
	Port       int    // that is listened on
	Identity   transport.Identity
}

// Uplink connects to the master that the join token names. It implements
// agent.Uplink. Its methods are safe for concurrent use.
type Uplink struct {
	cfg Config

	mu     sync.Mutex
	pinned string // fingerprint of the master
	told   string // where that master says it may be reached; empty: it has not
	way    *way
	renew  bool // the master is there: do not wait for a way that is not open
}

var _ agent.Uplink = (*Uplink)(nil)

// New returns an uplink that has not connected yet.
func New(cfg Config) *Uplink { return &Uplink{cfg: cfg} }

// Pinned is the fingerprint of the master, empty before the join token is
// there.
func (u *Uplink) Pinned() string {
	if pinned := u.pin(""); pinned != "" {
		return pinned
	}
	// A master may call before this worker has tried to.
	token, err := u.token()
	if err != nil {
		return ""
	}
	return u.pin(token.Fingerprint)
}

// pin returns what is pinned, which is fingerprint when nothing was before.
func (u *Uplink) pin(fingerprint string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.pinned == "" {
		u.pinned = fingerprint
	}
	return u.pinned
}

// Prove answers a challenge of the master with that fingerprint, in the words
// of the join token as it is now. It is nil for another master than the
// token's.
func (u *Uplink) Prove(challenge []byte, master, workerID, session string) []byte {
	token, err := u.token()
	if err != nil || token.Fingerprint != master && !u.cfg.Identity.Plaintext() {
		return nil
	}
	return transport.Proof(token.Secret, challenge, master, u.cfg.Identity.Fingerprint, workerID, session)
}

// Called says that the master has called and where it says it may be reached.
// That address is tried beside the configured one when there is no connection.
// It is believed because it comes from the master whose certificate is pinned;
// without TLS it could come from anybody, and is not.
func (u *Uplink) Called(address string) {
	u.mu.Lock()
	u.renew = true
	if usable(address) && !u.cfg.Identity.Plaintext() {
		u.told = address
	}
	w, addresses := u.way, u.addressesLocked()
	u.mu.Unlock()
	if w != nil && !w.isOpen() {
		w.lead(addresses)
	}
}

// usable reports whether an address can be called.
func usable(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return false
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// Connect reads the join token anew, so that one that is replaced while the
// worker waits is taken up, and connects to the master it names. A connection
// that is open stays, whichever address it is to.
func (u *Uplink) Connect(ctx context.Context) (pb.MasterClient, agent.Introduction, error) {
	token, err := u.token()
	if err != nil {
		return nil, agent.Introduction{}, err
	}
	w, err := u.wayTo(token.Fingerprint)
	if err != nil {
		return nil, agent.Introduction{}, err
	}
	if err := w.open(ctx); err != nil {
		return nil, agent.Introduction{}, err
	}
	host, port, err := u.advertise(w.dialer.LocalAddr())
	if err != nil {
		return nil, agent.Introduction{}, err
	}
	return pb.NewMasterClient(w.conn), agent.Introduction{
		Host:        host,
		Port:        port,
		Secret:      token.Secret,
		Fingerprint: u.cfg.Identity.Fingerprint,
	}, nil
}

func (u *Uplink) token() (transport.JoinToken, error) {
	if u.cfg.Token != "" {
		return transport.ParseJoinToken(u.cfg.Token)
	}
	token, err := transport.ReadJoinToken(u.cfg.TokenFile)
	if errors.Is(err, fs.ErrNotExist) {
		return token, fmt.Errorf("there is no join token in %s yet: a master on this machine writes it there when it starts; "+
			"of a master elsewhere, set JOIN_TOKEN to what `bin/master cli join` shows on its machine", u.cfg.TokenFile)
	}
	return token, err
}

// wayTo keeps the way while the master stays the same.
func (u *Uplink) wayTo(fingerprint string) (*way, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.pinned != fingerprint {
		u.pinned, u.told = fingerprint, "" // it was another's address
	}
	old := u.way
	if old != nil && old.fingerprint == fingerprint && (!u.renew || old.isOpen()) {
		return old, nil
	}
	w, err := newWay(u.cfg.Identity, fingerprint, u.addressesLocked())
	if err != nil {
		return nil, err
	}
	u.way, u.renew = w, false
	if old != nil {
		old.close() // its calls fail and are repeated on the new one
	}
	return w, nil
}

// addressesLocked are where the master may be, in the order in which they are
// tried.
func (u *Uplink) addressesLocked() []string {
	if u.told == "" || u.told == u.cfg.MasterAddr {
		return []string{u.cfg.MasterAddr}
	}
	return []string{u.cfg.MasterAddr, u.told}
}

// advertise is the address that the master is to call. What is not configured
// is this end of the connection to it.
func (u *Uplink) advertise(local net.Addr) (string, int, error) {
	if u.cfg.Advertise != "" {
		host, port, err := netport.SplitAdvertised(u.cfg.Advertise)
		if err != nil {
			return "", 0, fmt.Errorf("ADVERTISE_ADDR: %q %w", u.cfg.Advertise, err)
		}
		return host, cmp.Or(port, u.cfg.Port), nil
	}
	if local == nil {
		return "", 0, errors.New("the connection to the master was lost at once")
	}
	host, _, err := net.SplitHostPort(local.String())
	if err != nil {
		return "", 0, fmt.Errorf("find this host's address: %w", err)
	}
	return host, u.cfg.Port, nil
}

// Close ends the connection.
func (u *Uplink) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.way == nil {
		return nil
	}
	return u.way.conn.Close()
}
