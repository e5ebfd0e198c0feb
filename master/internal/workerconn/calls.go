package workerconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"cloudai/master/internal/cluster"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

// helloTries: the first call may fail because a connection that looked alive
// was not. The second one is then made on a new connection.
const helloTries = 2

// Hello asks who answers at a target's address, which may be another session
// than the target's. cluster.ErrConnRefused when nothing listens there,
// cluster.ErrOtherCertificate when not the target's certificate is shown there.
func (p *Pool) Hello(ctx context.Context, to cluster.Target) (cluster.Hello, error) {
	request := p.masterInfo(ctx, to.WorkerID, to.Address)
	request.Session = to.Session
	var ack *pb.RegisterAck
	var err error
	for range helloTries {
		err = p.do(ctx, to, true, func(worker pb.WorkerClient) (err error) {
			ack, err = worker.MasterRegister(ctx, request)
			return err
		})
		if status.Code(err) != codes.Unavailable || errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
	}
	var other *transport.FingerprintError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return cluster.Hello{}, fmt.Errorf("%w: %w", cluster.ErrConnRefused, err)
	case errors.As(err, &other):
		return cluster.Hello{}, fmt.Errorf("%w: %w", cluster.ErrOtherCertificate, err)
	case err != nil:
		return cluster.Hello{}, err
	}
	return helloFromWire(ack), nil
}

// Assign hands an attempt to a worker: nil when it has accepted it,
// cluster.ErrRefused when it definitely has not; with any other error nobody
// knows.
func (p *Pool) Assign(ctx context.Context, to cluster.Target, order cluster.Order) error {
	request := taskToWire(order, to, p.config.ClusterID)
	err := p.doInOrder(ctx, to, order.Ref.TaskID, func(worker pb.WorkerClient) error {
		ack, err := worker.AssignTask(ctx, request)
		return checkSession(to, ack, err)
	})
	if refused(err, request) {
		return fmt.Errorf("%w: %w", cluster.ErrRefused, err)
	}
	return err
}

// refused reports whether a failed assignment has certainly had no effect.
func refused(err error, request *pb.Task) bool {
	switch status.Code(err) {
	case codes.ResourceExhausted, codes.InvalidArgument:
		return true
	case codes.FailedPrecondition:
		// Another session answered. It may well hold this attempt: the one
		// before it may have accepted it and left a container.
		return transport.Reason(err) != transport.ReasonUnknownSession
	case codes.Internal:
		// What can't be encoded was not sent, and never will be.
		_, encodeErr := proto.Marshal(request)
		return encodeErr != nil
	default:
		return false
	}
}

// Cancel tells a worker to stop an attempt; the attempt's completion confirms
// it. cluster.ErrNoAttempt when the worker has no such attempt; with any other
// error nobody knows whether the worker heard it.
func (p *Pool) Cancel(ctx context.Context, to cluster.Target, ref cluster.AttemptRef) error {
	request := &pb.TaskID{
		TaskId:    string(ref.TaskID),
		Attempt:   int32(ref.Attempt),
		Lease:     ref.Lease,
		Session:   to.Session,
		ClusterId: p.config.ClusterID,
	}
	err := p.doInOrder(ctx, to, ref.TaskID, func(worker pb.WorkerClient) error {
		ack, err := worker.CancelTask(ctx, request)
		return checkSession(to, ack, err)
	})
	return noAttempt(err)
}

// StreamLogs follows the log of an attempt from two offsets on and hands its
// chunks to sink, in the order in which the worker sends them; they are sink's
// until it returns. It returns the lengths of the log when the worker says that
// it is complete, and nil when the stream ends before that. Errors are sink's
// own, cluster.ErrNoAttempt, and those of the connection. It waits for no other
// call.
func (p *Pool) StreamLogs(ctx context.Context, to cluster.Target, ref cluster.AttemptRef, from cluster.LogOffsets,
	sink func([]cluster.LogChunk) error,
) (end *cluster.LogOffsets, err error) {
	// Ends the stream at the worker when sink gives up.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var sinkErr error
	err = p.do(ctx, to, false, func(worker pb.WorkerClient) error {
		stream, err := worker.StreamTaskLogs(ctx, logRequestToWire(to, ref, from))
		if err != nil {
			return err
		}
		end, sinkErr, err = drain(stream, sink)
		return err
	})
	if sinkErr != nil {
		return nil, sinkErr
	}
	return end, noAttempt(err)
}

// drain reads a log to its end, or to that of the stream. sinkErr is why it
// stopped before, err what the connection did.
func drain(stream grpc.ServerStreamingClient[pb.LogChunk], sink func([]cluster.LogChunk) error) (end *cluster.LogOffsets, sinkErr, err error) {
	for {
		wire, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil, nil
		case err != nil:
			return nil, nil, err
		case wire.End && (wire.StdoutLength < 0 || wire.StderrLength < 0):
			return nil, fmt.Errorf("%w: a log that ends at %d and %d", cluster.ErrInvalid, wire.StdoutLength, wire.StderrLength), nil
		case wire.End:
			return &cluster.LogOffsets{Stdout: wire.StdoutLength, Stderr: wire.StderrLength}, nil, nil
		}
		chunk, err := logChunkFromWire(wire)
		if err == nil {
			err = sink([]cluster.LogChunk{chunk})
		}
		if err != nil {
			return nil, err, nil
		}
	}
}

// checkSession turns an answer of another session than the target's into an
// error: what it says is not about the attempt that was meant.
func checkSession(to cluster.Target, ack *pb.TaskAck, err error) error {
	if err != nil || ack.Session == to.Session {
		return err
	}
	return transport.Errorf(codes.Aborted, transport.ReasonUnknownSession, "session %q answers, %q was called", ack.Session, to.Session)
}

// noAttempt recognizes a worker that does not have the attempt.
func noAttempt(err error) error {
	if status.Code(err) == codes.NotFound {
		return fmt.Errorf("%w: %w", cluster.ErrNoAttempt, err)
	}
	return err
}
