// Package server is the gRPC edge that workers call: it checks what only the
// connection can prove, converts, asks the core and maps errors. It decides
// nothing about tasks.
package server

import (
	"context"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/master/internal/storage"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

// Core is what the edge asks of the coordinator.
type Core interface {
	Register(ctx context.Context, r coordinator.Registration) (coordinator.RegisterReply, error)
	Heartbeat(ctx context.Context, h coordinator.Heartbeat) (coordinator.HeartbeatReply, error)
	Progress(ctx context.Context, r coordinator.ProgressReport) error
	Complete(ctx context.Context, r coordinator.Completion) (need *cluster.LogOffsets, err error)
	AuthorizeUpload(ctx context.Context, from coordinator.Caller, ref cluster.AttemptRef) (owner cluster.UserID, recorded bool, err error)
}

// Files takes the pieces of output files. Implemented by storage.
type Files interface {
	WriteChunk(owner cluster.UserID, ref cluster.AttemptRef, c storage.Chunk) error
	Use(owner cluster.UserID) cluster.FileUse
	Staged(ctx context.Context, ref cluster.AttemptRef, after string, limit int) (files []storage.StagedFile, more bool, err error)
}

// Logs takes the pieces of logs that workers push.
type Logs interface {
	Append(ref cluster.AttemptRef, chunks []cluster.LogChunk) error
	Offsets(ref cluster.AttemptRef) cluster.LogOffsets
}

// Config is what a Server is made of.
type Config struct {
	Core       Core
	Files      Files
	Logs       Logs
	JoinSecret string
	ClusterID  string
	MasterID   string
	Version    string
	Log        *slog.Logger // nil: none
}

// Server implements the Master service.
type Server struct {
	pb.UnimplementedMasterServer
	cfg Config
}

// New makes a Server.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg}
}

// failed is what a worker hears of an error; one that is not foreseen is
// logged in full and told without.
func (s *Server) failed(ctx context.Context, err error) error {
	told := statusOf(err)
	if status.Code(told) == codes.Internal {
		s.cfg.Log.ErrorContext(ctx, "a worker's call failed", "error", err)
	}
	return told
}

// Register puts the services on a gRPC server.
func (s *Server) Register(on grpc.ServiceRegistrar) { pb.RegisterMasterServer(on, s) }

// caller is the worker that a message names, with what the connection proves.
func caller(ctx context.Context, workerID, session string) coordinator.Caller {
	fingerprint, _ := transport.PeerFingerprint(ctx)
	return coordinator.Caller{WorkerID: cluster.WorkerID(workerID), Session: session, Fingerprint: fingerprint}
}

// RegisterWorker admits a worker that knows the join secret.
func (s *Server) RegisterWorker(ctx context.Context, in *pb.WorkerInfo) (*pb.RegisterAck, error) {
	if !transport.SecretEqual(in.GetJoinSecret(), s.cfg.JoinSecret) {
		return nil, transport.Errorf(codes.Unauthenticated, "join_secret",
			"the join token is not this master's; take the one that `bin/master cli join` prints, or the file join-token in the master's data directory")
	}
	from := caller(ctx, in.GetWorkerId(), in.GetSession())
	if from.Fingerprint != in.GetFingerprint() {
		return nil, transport.Errorf(codes.Unauthenticated, "fingerprint", "the worker names another certificate than it connects with")
	}
	host := in.GetWorkerIp()
	if host == "" {
		host = peerHost(ctx)
	}
	r, err := registration(in, from, host)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	reply, err := s.cfg.Core.Register(ctx, r)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	return s.registerAck(in, reply), nil
}

func peerHost(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	host, _, err := net.SplitHostPort(p.Addr.String())
	if err != nil {
		return ""
	}
	return host
}

// SendHeartbeat passes a sign of life on.
func (s *Server) SendHeartbeat(ctx context.Context, in *pb.Heartbeat) (*pb.HeartbeatAck, error) {
	reply, err := s.cfg.Core.Heartbeat(ctx, heartbeat(in, caller(ctx, in.GetWorkerId(), in.GetSession())))
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	return &pb.HeartbeatAck{
		ClusterId: s.cfg.ClusterID,
		Stop:      refsToWire(reply.Stop), Expect: refsToWire(reply.Expect), Cancel: refsToWire(reply.Cancel),
	}, nil
}

// ReportTaskProgress passes progress on.
func (s *Server) ReportTaskProgress(ctx context.Context, in *pb.TaskProgress) (*pb.Ack, error) {
	r, err := progress(in, caller(ctx, in.GetWorkerId(), in.GetSession()), time.Now())
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	if err := s.cfg.Core.Progress(ctx, r); err != nil {
		return nil, s.failed(ctx, err)
	}
	return &pb.Ack{}, nil
}

// ReportTaskCompletion passes a result on.
func (s *Server) ReportTaskCompletion(ctx context.Context, in *pb.TaskResult) (*pb.Ack, error) {
	r, err := completion(in, caller(ctx, in.GetWorkerId(), in.GetSession()), time.Now())
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	need, err := s.cfg.Core.Complete(ctx, r)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	ack := &pb.Ack{}
	if need != nil {
		ack.NeedLog = &pb.NeedLog{StdoutOffset: need.Stdout, StderrOffset: need.Stderr}
	}
	return ack, nil
}
