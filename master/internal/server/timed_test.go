package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"cloudai/proto/pb"
)

type deafMaster struct{ pb.UnimplementedMasterServer }

// SendHeartbeat refuses.
func (deafMaster) SendHeartbeat(context.Context, *pb.Heartbeat) (*pb.HeartbeatAck, error) {
	return nil, status.Error(codes.Unavailable, "deaf")
}

// RegisterWorker agrees.
func (deafMaster) RegisterWorker(context.Context, *pb.WorkerInfo) (*pb.RegisterAck, error) {
	return &pb.RegisterAck{}, nil
}

// Calls and streams are told by their method and code; one that the service does
// not have is not told at all.
func TestTimed(t *testing.T) {
	seen := make(chan string, 10)
	s := grpc.NewServer(Timed(func(method, code string, d time.Duration) {
		if d < 0 {
			t.Errorf("%s took %s", method, d)
		}
		seen <- fmt.Sprint(method, " ", code)
	})...)
	pb.RegisterMasterServer(s, deafMaster{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	c := pb.NewMasterClient(conn)
	_, err1 := c.RegisterWorker(t.Context(), &pb.WorkerInfo{})
	_, err2 := c.SendHeartbeat(t.Context(), &pb.Heartbeat{})
	stream, err := c.UploadTaskFiles(t.Context())
	if err == nil {
		_, err = stream.CloseAndRecv()
	}
	if err1 != nil || status.Code(err2) != codes.Unavailable || status.Code(err) != codes.Unimplemented {
		t.Fatal(err1, err2, err)
	}
	if err := conn.Invoke(t.Context(), "/cloudai.Nothing/Secret", &pb.Heartbeat{}, &pb.HeartbeatAck{}); err == nil {
		t.Error("there is such a call")
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	s.Stop()
	if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		t.Error(err)
	}
	close(seen)
	got := slices.Collect(func(yield func(string) bool) {
		for s := range seen {
			if !yield(s) {
				return
			}
		}
	})
	if want := []string{"RegisterWorker OK", "SendHeartbeat Unavailable", "UploadTaskFiles Unimplemented"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
