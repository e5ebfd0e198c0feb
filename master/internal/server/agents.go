package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

// stateBytes is what a state may take on the wire: of a longer queue an agent
// sees the beginning, which comes first anyway.
const stateBytes = transport.MaxMessage - 1<<20

// AgentCore is what scheduling agents ask of the coordinator.
type AgentCore interface {
	ClusterState(ctx context.Context, p cluster.Principal) (coordinator.ClusterState, error)
	Place(ctx context.Context, p cluster.Principal, all []coordinator.Placement) ([]error, error)
}

// Agents implements the MasterAgent service: scheduling agents see who waits and
// where there is room, and propose who goes where. Who calls shows an API token
// with the scope agent, as the metadata authorization: Bearer.
type Agents struct {
	pb.UnimplementedMasterAgentServer
	Core AgentCore
	// Identify is who an API token, or a sign-in, belongs to.
	Identify func(ctx context.Context, credential string) (p cluster.Principal, until time.Time, err error)
	Log      *slog.Logger
}

// Register puts the service on a gRPC server.
func (s *Agents) Register(on grpc.ServiceRegistrar) { pb.RegisterMasterAgentServer(on, s) }

// FetchClusterState gives workers and waiting tasks of one moment.
func (s *Agents) FetchClusterState(ctx context.Context, _ *pb.Empty) (*pb.ClusterState, error) {
	p, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	state, err := s.Core.ClusterState(ctx, p)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := &pb.ClusterState{Revision: state.Revision}
	for _, w := range state.Workers {
		out.Workers = append(out.Workers, agentWorker(w))
	}
	size := proto.Size(out)
	for _, t := range state.Waiting {
		task := agentTask(t)
		const frame = 8 // bytes around it
		if size += proto.Size(task) + frame; size > stateBytes {
			break
		}
		out.Waiting = append(out.Waiting, task)
	}
	return out, nil
}

// SubmitAssignments places what is right of the proposals, and answers each.
func (s *Agents) SubmitAssignments(ctx context.Context, in *pb.TaskAssignments) (*pb.AgentAck, error) {
	p, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	if n := len(in.GetAssignments()); n > coordinator.MaxPlacements {
		return nil, status.Errorf(codes.InvalidArgument, "assignments: must be at most %d, not %d", coordinator.MaxPlacements, n)
	}
	all := make([]coordinator.Placement, 0, len(in.GetAssignments()))
	for _, a := range in.GetAssignments() {
		all = append(all, coordinator.Placement{
			TaskID: cluster.TaskID(a.GetTaskId()), Attempt: int(a.GetAttempt()), WorkerID: cluster.WorkerID(a.GetWorkerId()),
		})
	}
	errs, err := s.Core.Place(ctx, p, all)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := &pb.AgentAck{}
	for i, err := range errs {
		outcome := &pb.AssignmentOutcome{TaskId: in.GetAssignments()[i].GetTaskId(), Accepted: err == nil}
		if err != nil {
			outcome.Reason = s.reason(ctx, err)
		}
		out.Outcomes = append(out.Outcomes, outcome)
	}
	return out, nil
}

// reason says in words why a proposal was not taken.
func (s *Agents) reason(ctx context.Context, err error) string {
	text := status.Convert(s.failed(ctx, err)).Message()
	for _, sentinel := range []error{cluster.ErrConflict, cluster.ErrNotFound} {
		text = strings.TrimPrefix(text, sentinel.Error()+": ")
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// caller is who shows the token.
func (s *Agents) caller(ctx context.Context) (cluster.Principal, error) {
	shown := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(shown) != 1 {
		return cluster.Principal{}, status.Error(codes.Unauthenticated,
			"this call needs the metadata authorization, once: Bearer, a space and an API token with the scope agent")
	}
	scheme, credential, ok := strings.Cut(shown[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return cluster.Principal{}, status.Error(codes.Unauthenticated, "authorization must be: Bearer, a space and a token")
	}
	p, _, err := s.Identify(ctx, credential)
	if err != nil {
		return p, s.failed(ctx, err)
	}
	if err := p.Require(cluster.ScopeAgent); err != nil {
		return p, s.failed(ctx, err)
	}
	return p, nil
}

// failed is what an agent hears of an error.
func (s *Agents) failed(ctx context.Context, err error) error {
	for _, known := range []struct {
		err  error
		code codes.Code
	}{
		{cluster.ErrUnauthenticated, codes.Unauthenticated}, {cluster.ErrDenied, codes.PermissionDenied}, {cluster.ErrNotFound, codes.NotFound},
	} {
		if errors.Is(err, known.err) {
			return status.Error(known.code, err.Error())
		}
	}
	told := statusOf(err)
	if status.Code(told) == codes.Internal {
		s.Log.ErrorContext(ctx, "a scheduling agent's call failed", "error", err)
	}
	return told
}

func agentWorker(w coordinator.WorkerView) *pb.AgentWorker {
	out := &pb.AgentWorker{
		WorkerId: string(w.ID), Status: string(w.Status), Total: agentResources(w.Total), Allocated: agentResources(w.Allocated), Labels: w.Labels,
	}
	if !w.LastHeartbeat.IsZero() {
		out.LastHeartbeat = timestamppb.New(w.LastHeartbeat)
	}
	return out
}

func agentTask(t cluster.Task) *pb.AgentTask {
	return &pb.AgentTask{
		TaskId: string(t.ID), Attempt: int32(t.Attempt),
		Required: agentResources(t.Spec.Resources), Priority: int32(t.Spec.Priority),
		Constraints: t.Spec.Constraints, TargetWorkerId: string(t.Spec.TargetWorker), QueuedAt: timestamppb.New(t.QueuedAt),
	}
}

func agentResources(r cluster.Resources) *pb.AgentResources {
	return &pb.AgentResources{Cpu: r.CPU, Memory: r.Memory, Storage: r.Storage, Gpu: int32(r.GPU)}
}
