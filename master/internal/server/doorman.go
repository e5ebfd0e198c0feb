package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"cloudai/master/internal/crowd"
)

// maxStrangers is how many connections of those may be open that have not shown
// yet that they are workers. Any certificate will do for connecting, and what a
// connection costs is some 100 KiB.
const maxStrangers = 512

// Doorman knows which connections are workers'.
type Doorman struct{ *crowd.Crowd }

// NewDoorman makes one for a listener.
func NewDoorman() Doorman {
	const all = 1 << 20 // those with a join token are not counted
	return Doorman{crowd.New(crowd.Config{Quiet: maxStrangers, All: all})}
}

// Watch is the option of the gRPC server: who has made a call that was answered
// well may stay.
func (d Doorman) Watch() grpc.ServerOption {
	return grpc.UnaryInterceptor(func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		out, err := next(ctx, in)
		if p, ok := peer.FromContext(ctx); ok && err == nil {
			d.Busy(p.Addr.String())
		}
		return out, err
	})
}
