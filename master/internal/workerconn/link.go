package workerconn

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	"cloudai/master/internal/cluster"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

// link is the connection to one target.
type link struct {
	target cluster.Target
	conn   *grpc.ClientConn
	client pb.WorkerClient
	calls  int // under way; guarded by the pool's mutex
	dialer *transport.Dialer
}

// newLink prepares a connection; it is made when the first call needs it.
func newLink(id transport.Identity, to cluster.Target) (*link, error) {
	l := &link{target: to, dialer: transport.NewDialer(transport.ClientCredentials(id, to.Fingerprint))}
	conn, err := newConn(to.Address, l.dialer)
	if err != nil {
		return nil, fmt.Errorf("worker %s at %s: %w", to.WorkerID, to.Address, err)
	}
	l.conn, l.client = conn, pb.NewWorkerClient(conn)
	return l, nil
}

// newConn gives the address to dial as it is: names are looked up again at each
// attempt, and there is one error for all they stand for.
func newConn(address string, dialer *transport.Dialer) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+address, dialer.Options()...)
}

// failing reports whether the last attempt to connect failed. Until the next
// one is due calls fail at once, with that error. The connection's own state
// follows a moment after the calls that it fails.
func (l *link) failing() bool {
	return l.conn.GetState() == connectivity.TransientFailure || l.dialer.Err() != nil
}

// close ends the connection and the calls on it. It may be called again.
func (l *link) close() {
	// The only error is that it was closed before.
	_ = l.conn.Close()
}

// callError is a call that failed, in words for people; its status is there for
// those who must tell failures apart.
type callError struct {
	target cluster.Target
	status *status.Status
	cause  error // better than the status, where there is one
}

// Error names the worker and its address.
func (e *callError) Error() string {
	text := e.status.Message()
	if e.cause != nil {
		text = e.cause.Error()
	}
	if text == "" {
		text = e.status.Code().String()
	}
	return fmt.Sprintf("worker %s at %s: %s", e.target.WorkerID, e.target.Address, text)
}

// Unwrap gives the dial's or the context's error.
func (e *callError) Unwrap() error { return e.cause }

// GRPCStatus is what gRPC said.
func (e *callError) GRPCStatus() *status.Status { return e.status }

// explain makes a callError of what a call on this link returned.
func (l *link) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	e := &callError{target: l.target, status: status.Convert(err)}
	switch e.status.Code() {
	case codes.Canceled, codes.DeadlineExceeded:
		e.cause = ctx.Err()
	case codes.Unavailable:
		e.cause = l.dialer.Err()
	default: // speaks for itself
	}
	return e
}
