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
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"cloudai/proto/pb"
	"cloudai/worker/internal/agent"
)

func TestErrorsHaveTheirCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code codes.Code
	}{
		{fmt.Errorf("%w: task id", agent.ErrInvalid), codes.InvalidArgument},
		{fmt.Errorf("%w: leaving", agent.ErrRefused), codes.FailedPrecondition},
		{agent.ErrUnknown, codes.NotFound},
		{fmt.Errorf("reading: %w", context.Canceled), codes.Canceled},
		{context.DeadlineExceeded, codes.DeadlineExceeded},
		{status.Error(codes.Unavailable, "connection broken"), codes.Unavailable},
		{errors.New("disk"), codes.Internal},
	} {
		if got := status.Code(toStatus(c.err)); got != c.code {
			t.Errorf("%v: %v, want %v", c.err, got, c.code)
		}
	}
}

// uplink notes what it is told.
type uplink struct{ called, asked []string }

func (u *uplink) Pinned() string        { return "" }
func (u *uplink) Called(address string) { u.called = append(u.called, address) }

func (u *uplink) Prove(challenge []byte, master, workerID, session string) []byte {
	u.asked = append(u.asked, fmt.Sprintf("%s %q %s %s", challenge, master, workerID, session))
	return []byte("proof")
}

func TestMasterRegister(t *testing.T) {
	for name, c := range map[string]struct {
		in            *pb.MasterInfo
		called, asked []string
	}{
		"a worker it knows": {&pb.MasterInfo{WorkerId: "w1", MasterAddress: "m:1"}, []string{"m:1"}, nil},
		"whoever it may be": {&pb.MasterInfo{MasterAddress: "m:1"}, []string{"m:1"}, nil},
		"a challenge":       {&pb.MasterInfo{WorkerId: "w1", Challenge: []byte("c")}, []string{""}, []string{`c "" w1 s1`}},
		"another was meant": {&pb.MasterInfo{WorkerId: "w2", MasterAddress: "m:1"}, nil, nil},
		"and has to prove it": {
			&pb.MasterInfo{WorkerId: "w2", MasterAddress: "m:1", Challenge: []byte("c")}, nil, []string{`c "" w1 s1`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			up := &uplink{}
			s := &Server{agent: agent.New(agent.Config{Worker: agent.Worker{ID: "w1", Session: "s1", Version: "v1"}}), up: up}
			ack, err := s.MasterRegister(t.Context(), c.in)
			if err != nil {
				t.Fatal(err)
			}
			if ack.GetWorkerId() != "w1" || ack.GetSession() != "s1" || ack.GetVersion() != "v1" || (ack.GetProof() != nil) != (c.asked != nil) {
				t.Errorf("answer %v", ack)
			}
			if !slices.Equal(up.called, c.called) || !slices.Equal(up.asked, c.asked) {
				t.Errorf("called %q, want %q; asked %q, want %q", up.called, c.called, up.asked, c.asked)
			}
		})
	}
}

func TestStoppedBeforeItServes(t *testing.T) {
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	s.Stop()
	if err := Serve(s, door); err != nil {
		t.Fatal(err)
	}
	if err := Serve(grpc.NewServer(), door); err == nil {
		t.Error("a closed door is no error")
	}
}

func TestGraceIsTenSecondsUnlessToldOtherwise(t *testing.T) {
	for _, c := range []struct {
		in   *durationpb.Duration
		want time.Duration
	}{{nil, 10 * time.Second}, {durationpb.New(0), 0}, {durationpb.New(time.Second), time.Second}} {
		if got := specFromPB(&pb.Task{GracePeriod: c.in}).Grace; got != c.want {
			t.Errorf("%v: %v", c.in, got)
		}
	}
}
