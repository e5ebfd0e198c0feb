// Package server is the edge at which the master calls this worker. It checks
// who calls and for which session, converts, and maps errors; what happens is
// decided by the agent.
package server

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cloudai/proto/pb"
	"cloudai/proto/transport"
	"cloudai/worker/internal/agent"
	"cloudai/worker/internal/logstream"
)

// Uplink is the worker's way to its master. Its methods may be called at any
// time, also at once.
type Uplink interface {
	// Pinned is the fingerprint of the only master that may call; empty: none may.
	Pinned() string
	// Called says that this master has called, and at which host:port it says
	// that it is reached; what can't be called counts as nothing.
	Called(address string)
	// Prove answers a challenge as transport.Proof does, nil when it cannot.
	Prove(challenge []byte, master, workerID, session string) []byte
}

// Server answers the master's calls. It implements pb.WorkerServer.
type Server struct {
	pb.UnimplementedWorkerServer
	agent *agent.Agent
	up    Uplink
}

// New returns a gRPC server for the master that the uplink has pinned at the
// time of a call; every other caller is refused.
func New(a *agent.Agent, id transport.Identity, up Uplink) *grpc.Server {
	guard := guard{pinned: up.Pinned, open: id.Plaintext()}
	s := grpc.NewServer(transport.ServerOptions(id,
		grpc.UnaryInterceptor(guard.unary), grpc.StreamInterceptor(guard.stream))...)
	pb.RegisterWorkerServer(s, &Server{agent: a, up: up})
	return s
}

// Serve answers calls until the server is stopped, which is no error, not even
// before it serves.
func Serve(s *grpc.Server, door net.Listener) error {
	if err := s.Serve(door); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// MasterRegister proves who answers here, and has the worker speak up soon: a
// master that has just started learns at once what runs, and one that nobody
// has told this worker of gets its registration.
func (s *Server) MasterRegister(ctx context.Context, in *pb.MasterInfo) (*pb.RegisterAck, error) {
	ack := &pb.RegisterAck{
		MasterId:  in.GetMasterId(),
		ClusterId: in.GetClusterId(),
		Session:   s.agent.Session(),
		WorkerId:  s.agent.WorkerID(),
		Version:   s.agent.Version(),
	}
	if challenge := in.GetChallenge(); len(challenge) > 0 {
		caller, _ := transport.PeerFingerprint(ctx) // absent without TLS
		ack.Proof = s.up.Prove(challenge, caller, ack.WorkerId, ack.Session)
	}
	if id := in.GetWorkerId(); id == "" || id == ack.WorkerId { // else another one was meant
		s.up.Called(in.GetMasterAddress())
	}
	s.agent.MasterCalled()
	return ack, nil
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
