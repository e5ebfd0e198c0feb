package workerconn

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"

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
	// dialErr is why the last attempt to connect failed. gRPC would tell only
	// its text.
	dialErr atomic.Pointer[error]
}

// newLink prepares a connection; it is made when the first call needs it.
func newLink(id transport.Identity, to cluster.Target) (*link, error) {
	l := &link{target: to}
	// passthrough gives the address to dial as it is: names are looked up
	// again at each attempt, and there is one error for all they stand for.
	conn, err := grpc.NewClient("passthrough:///"+to.Address,
		transport.DialOptions(id, to.Fingerprint, grpc.WithContextDialer(l.dial))...)
	if err != nil {
		return nil, fmt.Errorf("worker %s at %s: %w", to.WorkerID, to.Address, err)
	}
	l.conn, l.client = conn, pb.NewWorkerClient(conn)
	return l, nil
}

func (l *link) dial(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		l.dialErr.Store(&err)
		return nil, err
	}
	l.dialErr.Store(nil)
	return conn, nil
}

// failing reports whether the last attempt to connect failed and the next one
// is not yet due. Calls fail at once meanwhile, with that error.
func (l *link) failing() bool { return l.conn.GetState() == connectivity.TransientFailure }

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
		if dialErr := l.dialErr.Load(); dialErr != nil {
			e.cause = *dialErr
		}
	default: // speaks for itself
	}
	return e
}
