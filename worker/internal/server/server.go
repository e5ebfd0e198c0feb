// Package server is the edge at which the master calls this worker. It checks
// who calls and for which session, converts, and maps errors; what happens is
// decided by the agent.
package server

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cloudai/proto/pb"
	"cloudai/proto/transport"
	"cloudai/worker/internal/agent"
	"cloudai/worker/internal/logstream"
)

// Server answers the master's calls. It implements pb.WorkerServer.
type Server struct {
	pb.UnimplementedWorkerServer
	agent *agent.Agent
}

// New returns a gRPC server for the master whose fingerprint pinned returns at
// the time of a call; every other caller is refused.
func New(a *agent.Agent, id transport.Identity, pinned func() string) *grpc.Server {
	guard := guard{pinned: pinned, open: id.Plaintext()}
	s := grpc.NewServer(transport.ServerOptions(id,
		grpc.UnaryInterceptor(guard.unary), grpc.StreamInterceptor(guard.stream))...)
	pb.RegisterWorkerServer(s, &Server{agent: a})
	return s
}

// MasterRegister proves who answers here, and has a heartbeat sent soon: a
// master that has just started learns at once what runs.
func (s *Server) MasterRegister(_ context.Context, in *pb.MasterInfo) (*pb.RegisterAck, error) {
	s.agent.MasterCalled()
	return &pb.RegisterAck{
		MasterId:  in.GetMasterId(),
		ClusterId: in.GetClusterId(),
		Session:   s.agent.Session(),
		WorkerId:  s.agent.WorkerID(),
		Version:   s.agent.Version(),
	}, nil
}

// AssignTask accepts an attempt.
func (s *Server) AssignTask(_ context.Context, in *pb.Task) (*pb.TaskAck, error) {
	if err := s.checkSession(in.GetSession()); err != nil {
		return nil, err
	}
	if err := s.agent.Assign(specFromPB(in)); err != nil {
		return nil, toStatus(err)
	}
	return s.ack(), nil
}

// CancelTask stops an attempt.
func (s *Server) CancelTask(_ context.Context, in *pb.TaskID) (*pb.TaskAck, error) {
	if err := s.checkSession(in.GetSession()); err != nil {
		return nil, err
	}
	ref := agent.Ref{TaskID: in.GetTaskId(), Attempt: int(in.GetAttempt()), Lease: in.GetLease()}
	if err := s.agent.Cancel(ref, in.GetClusterId()); err != nil {
		return nil, toStatus(err)
	}
	return s.ack(), nil
}

// StreamTaskLogs sends an attempt's log; its last chunk has end set when the
// log is complete.
func (s *Server) StreamTaskLogs(in *pb.TaskLogRequest, stream pb.Worker_StreamTaskLogsServer) error {
	if err := s.checkSession(in.GetSession()); err != nil {
		return err
	}
	if in.GetStdoutOffset() < 0 || in.GetStderrOffset() < 0 {
		return status.Error(codes.InvalidArgument, "negative offset")
	}
	log := s.agent.Logs(agent.Ref{TaskID: in.GetTaskId(), Attempt: int(in.GetAttempt()), Lease: in.GetLease()})
	if log == nil {
		return toStatus(agent.ErrUnknown)
	}
	send := func(c logstream.Chunk) error { return stream.Send(agent.ChunkToPB(c)) }
	_, complete, err := log.Read(stream.Context(), offsetsFromPB(in), in.GetFollow(), send)
	if err != nil {
		return toStatus(err)
	}
	if !complete {
		return nil
	}
	length := log.Head()
	return stream.Send(&pb.LogChunk{End: true, StdoutLength: length.Stdout, StderrLength: length.Stderr})
}

func (s *Server) ack() *pb.TaskAck { return &pb.TaskAck{Session: s.agent.Session()} }

// checkSession refuses what is meant for an earlier or later process.
func (s *Server) checkSession(session string) error {
	if session != s.agent.Session() {
		return transport.Errorf(codes.FailedPrecondition, transport.ReasonUnknownSession, "this worker's session is another")
	}
	return nil
}

// toStatus maps an error once; what is not known is internal.
func toStatus(err error) error {
	code := codes.Internal
	switch {
	case errors.Is(err, agent.ErrInvalid):
		code = codes.InvalidArgument
	case errors.Is(err, agent.ErrRefused):
		code = codes.FailedPrecondition
	case errors.Is(err, agent.ErrUnknown):
		code = codes.NotFound
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	default:
		if s, ok := status.FromError(err); ok {
			return s.Err()
		}
	}
	return status.Error(code, err.Error())
}
