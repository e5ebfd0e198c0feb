package transport

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Dialer makes the connections of one grpc.ClientConn and remembers of them
// what gRPC keeps to itself or tells as text only: why the latest attempts
// failed, and from which address the last connection went out. It is safe for
// concurrent use.
type Dialer struct {
	creds credentials.TransportCredentials

	mu     sync.Mutex
	failed map[string]error // by address called, since the last connection
	local  net.Addr
}

// NewDialer returns a dialer with [ClientCredentials] or [UnpinnedCredentials].
func NewDialer(creds credentials.TransportCredentials) *Dialer { return &Dialer{creds: creds} }

// Options returns what [DialOptions] does, with this dialer's credentials and
// watched by it. more is added at the end.
func (d *Dialer) Options(more ...grpc.DialOption) []grpc.DialOption {
	watched := grpc.WithContextDialer(d.dial)
	return dialOptions(watchedCredentials{d.creds, d}, append([]grpc.DialOption{watched}, more...)...)
}

// Err says why there is no connection: an [AttemptsError], or nil when the last
// attempt succeeded or none was made.
func (d *Dialer) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.failed) == 0 {
		return nil
	}
	var e AttemptsError
	for _, address := range slices.Sorted(maps.Keys(d.failed)) {
		e = append(e, d.failed[address])
	}
	return e
}

// LocalAddr is this end of the connection that was made last, nil before one.
func (d *Dialer) LocalAddr() net.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.local
}

func (d *Dialer) dial(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		d.fail(ctx, address, err)
	}
	return conn, err
}

// fail notes why an attempt failed, unless it was given up because another
// address was faster.
func (d *Dialer) fail(ctx context.Context, address string, err error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed == nil {
		d.failed = make(map[string]error)
	}
	d.failed[address] = err
}

func (d *Dialer) connected(local net.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed, d.local = nil, local
}

// watchedCredentials tell the dialer what became of a handshake.
type watchedCredentials struct {
	credentials.TransportCredentials
	dialer *Dialer
}

// ClientHandshake is called with the address as authority: that is what the
// target and the resolver's addresses give.
func (c watchedCredentials) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		c.dialer.fail(ctx, authority, fmt.Errorf("%s: %w", authority, err))
		return conn, info, err
	}
	c.dialer.connected(raw.LocalAddr())
	return conn, info, nil
}

// Clone returns credentials that tell the same dialer.
func (c watchedCredentials) Clone() credentials.TransportCredentials {
	return watchedCredentials{c.TransportCredentials.Clone(), c.dialer}
}

// AttemptsError is why no address could be connected to: an error each, which
// names the address.
type AttemptsError []error

// Error is one line.
func (e AttemptsError) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives the errors of the addresses.
func (e AttemptsError) Unwrap() []error { return e }
