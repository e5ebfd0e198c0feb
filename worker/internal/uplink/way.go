package uplink

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"cloudai/proto/transport"
)

// way is a connection to one master, at the first of its addresses that
// answers with its certificate. When it breaks they are tried again, one after
// the other, the next one also when the one before it only keeps silent.
type way struct {
	fingerprint string
	conn        *grpc.ClientConn
	dialer      *transport.Dialer
	addresses   *manual.Resolver
}

// scheme names the list of addresses; it is not looked up anywhere.
const scheme = "master"

// newWay prepares a connection; open makes it.
func newWay(id transport.Identity, fingerprint string, addresses []string) (*way, error) {
	w := &way{
		fingerprint: fingerprint,
		dialer:      transport.NewDialer(transport.ClientCredentials(id, fingerprint)),
		addresses:   manual.NewBuilderWithScheme(scheme),
	}
	w.lead(addresses)
	conn, err := grpc.NewClient(scheme+":///", w.dialer.Options(grpc.WithResolvers(w.addresses))...)
	if err != nil {
		return nil, fmt.Errorf("prepare a connection to %s: %w", strings.Join(addresses, " or "), err)
	}
	w.conn = conn
	return w, nil
}

// lead says where the master may be. A connection to another address ends.
func (w *way) lead(addresses []string) {
	var state resolver.State
	for _, a := range addresses {
		// The name makes an error of the handshake name the address.
		state.Addresses = append(state.Addresses, resolver.Address{Addr: a, ServerName: a})
	}
	w.addresses.UpdateState(state)
}

func (w *way) isOpen() bool { return w.conn.GetState() == connectivity.Ready }

// open waits until the connection is made, or has just failed at every address;
// it says why. Without a reason the first call will.
func (w *way) open(ctx context.Context) error {
	for {
		state := w.conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.TransientFailure:
			return why(w.dialer.Err())
		case connectivity.Idle:
			w.conn.Connect()
		case connectivity.Shutdown:
			return errors.New("the connection to the master is closed")
		case connectivity.Connecting:
		}
		if !w.conn.WaitForStateChange(ctx, state) {
			return ctx.Err()
		}
	}
}

// why says in words what keeps the worker from its master, and what to do.
func why(err error) error {
	var other *transport.FingerprintError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &other):
		return fmt.Errorf("another master answers than the one that the join token is of: give this worker the join token "+
			"that `bin/master cli join` shows on its master's machine, or correct MASTER_ADDR: %w", err)
	default:
		return fmt.Errorf("no master answers; is it started, and is MASTER_ADDR right? %w", err)
	}
}

// close ends the connection and the calls on it.
func (w *way) close() {
	// The only error is that it was closed before.
	_ = w.conn.Close()
}
