package agent_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cloudai/proto/pb"
	"cloudai/proto/transport"
	"cloudai/worker/internal/executor"
)

// hidden is an engine that shows its containers when it is told to.
type hidden struct {
	executor.Executor
	show chan struct{}
}

func (e hidden) List(ctx context.Context, workerID string) ([]executor.Container, error) {
	select {
	case <-e.show:
		return e.Executor.List(ctx, workerID)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A worker that cannot find its master is found by it: it proves that it knows
// the join token and registers where the master says that it is. It may be called
// before it is ready to register.
func TestWorkerThatIsCalledJoins(t *testing.T) {
	for name, early := range map[string]bool{"while it starts": true, "at any time": false} {
		t.Run(name, func(t *testing.T) {
			show := make(chan struct{})
			if !early {
				close(show)
			}
			m := newMaster(t)
			at := m.addr
			m.addr = "127.0.0.1:99999"
			// The first call finds the worker not let in: one that was removed, for instance.
			m.onRegister = func(in *pb.WorkerInfo) (*pb.RegisterAck, error) {
				if len(m.registrations) == 1 {
					return nil, status.Error(codes.FailedPrecondition, "removed")
				}
				return &pb.RegisterAck{ClusterId: clusterID, Session: in.GetSession()}, nil
			}
			w := startWorker(t, m, t.TempDir(), "s1", withExecutor(func(e executor.Executor) executor.Executor { return hidden{e, show} }))
			own, err := transport.LoadOrCreateIdentity(w.dir, "worker")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			info := &pb.MasterInfo{WorkerId: "w1", MasterAddress: at, Challenge: transport.NewChallenge()}
			began := time.Now()
			ack, err := w.client.MasterRegister(ctx, info, grpc.WaitForReady(true))
			if err != nil {
				t.Fatal(err)
			}
			want := transport.Proof(m.token.Secret, info.Challenge, m.id.Fingerprint, own.Fingerprint, "w1", "s1")
			if !transport.ProofHolds(ack.GetProof(), want) {
				t.Errorf("the proof is %x, want %x", ack.GetProof(), want)
			}
			if early {
				close(show)
			}
			m.await(t, "a heartbeat", func() bool { return len(m.heartbeats) > 0 })
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			m.read(func() {
				if in := m.registrations[0]; in.GetWorkerIp() != "127.0.0.1" || in.GetFingerprint() != own.Fingerprint {
					t.Errorf("registered as %v", in)
				}
			})
		})
	}
}
