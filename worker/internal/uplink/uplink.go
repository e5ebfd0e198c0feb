// Package uplink is a worker's way to its master: the join token, the one
// connection that is kept, and the address at which this worker is called
// back.
package uplink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"sync"

	"google.golang.org/grpc"

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
// agent.Uplink.
type Uplink struct {
	cfg Config

	mu     sync.Mutex
	conn   *grpc.ClientConn
	pinned string // fingerprint of the master
}

var _ agent.Uplink = (*Uplink)(nil)

// New returns an uplink that has not connected yet.
func New(cfg Config) *Uplink { return &Uplink{cfg: cfg} }

// Pinned is the fingerprint of the master, empty before the join token is
// there.
func (u *Uplink) Pinned() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pinned
}

// Connect reads the join token anew, so that one that is replaced while the
// worker waits is taken up, and connects to the master it names. Connecting
// itself happens with the first call.
func (u *Uplink) Connect(ctx context.Context) (pb.MasterClient, agent.Introduction, error) {
	token, err := u.token()
	if err != nil {
		return nil, agent.Introduction{}, err
	}
	host, port, err := u.advertise(ctx)
	if err != nil {
		return nil, agent.Introduction{}, err
	}
	conn, err := u.dial(token.Fingerprint)
	if err != nil {
		return nil, agent.Introduction{}, err
	}
	return pb.NewMasterClient(conn), agent.Introduction{
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
		return token, fmt.Errorf("there is no join token in %s yet; the master writes it there at its start, "+
			"or set JOIN_TOKEN to what `bin/master cli join` shows", u.cfg.TokenFile)
	}
	return token, err
}

// dial keeps the connection while the master stays the same.
func (u *Uplink) dial(fingerprint string) (*grpc.ClientConn, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.conn != nil && u.pinned == fingerprint {
		return u.conn, nil
	}
	conn, err := grpc.NewClient("passthrough:///"+u.cfg.MasterAddr, transport.DialOptions(u.cfg.Identity, fingerprint)...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", u.cfg.MasterAddr, err)
	}
	if u.conn != nil {
		_ = u.conn.Close() // its calls fail and are repeated on the new one
	}
	u.conn, u.pinned = conn, fingerprint
	return conn, nil
}

// advertise is the address that the master is to call. What is not configured
// is the source address of packets to the master.
func (u *Uplink) advertise(ctx context.Context) (string, int, error) {
	host, port := u.cfg.Advertise, u.cfg.Port
	if h, p, err := net.SplitHostPort(u.cfg.Advertise); err == nil {
		n, err := strconv.Atoi(p)
		if err != nil {
			return "", 0, fmt.Errorf("ADVERTISE_ADDR: %w", err)
		}
		host, port = h, n
	}
	if host != "" {
		return host, port, nil
	}
	// Connecting a UDP socket sends nothing; it makes the system choose a route.
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", u.cfg.MasterAddr)
	if err != nil {
		return "", 0, fmt.Errorf("find a route to the master %s: %w", u.cfg.MasterAddr, err)
	}
	defer conn.Close()
	host, _, err = net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		return "", 0, fmt.Errorf("find this host's address: %w", err)
	}
	return host, port, nil
}

// Close ends the connection.
func (u *Uplink) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.conn == nil {
		return nil
	}
	return u.conn.Close()
}
