package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

// planner answers agents as the test says.
type planner struct {
	state coordinator.ClusterState
	asked []coordinator.Placement
	errs  []error
	err   error
}

func (p *planner) ClusterState(context.Context, cluster.Principal) (coordinator.ClusterState, error) {
	return p.state, p.err
}

func (p *planner) Place(_ context.Context, _ cluster.Principal, all []coordinator.Placement) ([]error, error) {
	p.asked = all
	return p.errs, p.err
}

// agents is the service with a token of each kind.
func agents(core *planner) *Agents {
	who := map[string]cluster.Principal{
		"agent":  {UserID: "root", Role: cluster.RoleAdmin, Scopes: []cluster.Scope{cluster.ScopeAgent}},
		"admin":  {UserID: "root", Role: cluster.RoleAdmin, Scopes: []cluster.Scope{cluster.ScopeAdmin}},
		"signin": {UserID: "bob", Role: cluster.RoleUser},
	}
	return &Agents{Core: core, Log: slog.New(slog.DiscardHandler), Identify: func(_ context.Context, credential string) (cluster.Principal, time.Time, error) {
		p, ok := who[credential]
		if !ok {
			return p, time.Time{}, fmt.Errorf("%w: no such token", cluster.ErrUnauthenticated)
		}
		return p, time.Time{}, nil
	}}
}

func showing(ctx context.Context, tokens ...string) context.Context {
	md := metadata.MD{}
	md.Append("authorization", tokens...)
	return metadata.NewIncomingContext(ctx, md)
}

func TestAgentsShowAToken(t *testing.T) {
	s := agents(&planner{})
	for _, tt := range []struct {
		shown []string
		code  codes.Code
	}{
		{nil, codes.Unauthenticated},
		{[]string{"agent"}, codes.Unauthenticated},
		{[]string{"Basic agent"}, codes.Unauthenticated},
		{[]string{"Bearer agent", "Bearer agent"}, codes.Unauthenticated},
		{[]string{"Bearer x"}, codes.Unauthenticated},
		{[]string{"Bearer admin"}, codes.PermissionDenied},
		{[]string{"Bearer signin"}, codes.PermissionDenied},
		{[]string{"Bearer agent"}, codes.OK},
		{[]string{"bearer agent"}, codes.OK},
	} {
		_, err := s.FetchClusterState(showing(t.Context(), tt.shown...), &pb.Empty{})
		wantCode(t, fmt.Sprint(tt.shown), err, tt.code)
		_, err = s.SubmitAssignments(showing(t.Context(), tt.shown...), &pb.TaskAssignments{})
		wantCode(t, fmt.Sprint(tt.shown), err, tt.code)
	}
}

// What an agent sees fits into a message, however long the queue is; a shorter
// one is whole.
func TestAgentsSeeTheQueue(t *testing.T) {
	core := &planner{state: coordinator.ClusterState{Revision: 7, Workers: []coordinator.WorkerView{{
		Worker:    cluster.Worker{ID: "w", Total: cluster.Resources{CPU: 4, Memory: 100, Storage: 9, GPU: 1}, Labels: map[string]string{"zone": "a"}},
		Allocated: cluster.Resources{CPU: 1}, Status: cluster.WorkerActive, LastHeartbeat: time.Unix(5, 0),
	}}}}
	task := cluster.Task{ID: "t", Attempt: 2, QueuedAt: time.Unix(3, 0), Spec: cluster.Spec{
		Resources: cluster.Resources{CPU: 0.5, Memory: 64}, Priority: 9, TargetWorker: "w", Constraints: map[string]string{"zone": strings.Repeat("x", 20_000)},
	}}
	core.state.Waiting = []cluster.Task{task}
	got, err := agents(core).FetchClusterState(showing(t.Context(), "Bearer agent"), &pb.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	w, q := got.GetWorkers()[0], got.GetWaiting()[0]
	if got.GetRevision() != 7 || w.GetStatus() != "active" || w.GetTotal().GetGpu() != 1 || w.GetAllocated().GetCpu() != 1 || w.GetLastHeartbeat().GetSeconds() != 5 ||
		q.GetTaskId() != "t" || q.GetAttempt() != 2 || q.GetRequired().GetCpu() != 0.5 || q.GetPriority() != 9 || q.GetTargetWorkerId() != "w" || q.GetQueuedAt().GetSeconds() != 3 {
		t.Errorf("%v", got)
	}
	for range 300 {
		core.state.Waiting = append(core.state.Waiting, task)
	}
	got, err = agents(core).FetchClusterState(showing(t.Context(), "Bearer agent"), &pb.Empty{})
	if n := proto.Size(got); err != nil || n > transport.MaxMessage || n < transport.MaxMessage/2 {
		t.Errorf("%d bytes, %d tasks, %v", n, len(got.GetWaiting()), err)
	}
}

func TestAgentsPropose(t *testing.T) {
	core := &planner{errs: []error{nil, fmt.Errorf("%w: task b is running", cluster.ErrConflict), errors.New("secret of the house")}}
	ctx := showing(t.Context(), "Bearer agent")
	in := &pb.TaskAssignments{Assignments: []*pb.TaskAssignment{
		{TaskId: "a", Attempt: 1, WorkerId: "w"}, {TaskId: "b", Attempt: 2, WorkerId: "w"}, {TaskId: "c", Attempt: -1},
	}}
	ack, err := agents(core).SubmitAssignments(ctx, in)
	if err != nil || len(ack.GetOutcomes()) != 3 || core.asked[1] != (coordinator.Placement{TaskID: "b", Attempt: 2, WorkerID: "w"}) {
		t.Fatalf("%v %v %+v", ack, err, core.asked)
	}
	a, b, c := ack.GetOutcomes()[0], ack.GetOutcomes()[1], ack.GetOutcomes()[2]
	if !a.GetAccepted() || a.GetReason() != "" || b.GetAccepted() || b.GetReason() != "task b is running" ||
		c.GetAccepted() || c.GetReason() == "" || strings.Contains(c.GetReason(), "secret") {
		t.Errorf("%v", ack)
	}
	in.Assignments = make([]*pb.TaskAssignment, coordinator.MaxPlacements+1)
	_, err = agents(core).SubmitAssignments(ctx, in)
	wantCode(t, "too many", err, codes.InvalidArgument)
}

// Both services stand on one gRPC server.
func TestAgentsBesideWorkers(t *testing.T) {
	s := grpc.NewServer()
	New(Config{}).Register(s)
	agents(&planner{}).Register(s)
	if services := s.GetServiceInfo(); len(services) != 2 || len(services["cloudai.v1.MasterAgent"].Methods) != 2 {
		t.Errorf("%v", services)
	}
}
