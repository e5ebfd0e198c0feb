package server

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cloudai/proto/transport"
)

// guard lets the pinned master in and nobody else.
type guard struct {
	pinned func() string
	// open is for connections without TLS, which are from this host only.
	open bool
}

func (g guard) check(ctx context.Context) error {
	if g.open {
		return nil
	}
	fingerprint, ok := transport.PeerFingerprint(ctx)
	if want := g.pinned(); !ok || want == "" || fingerprint != want {
		return status.Error(codes.Unauthenticated, "not this worker's master")
	}
	return nil
}

func (g guard) unary(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := g.check(ctx); err != nil {
		return nil, err
	}
	return next(ctx, in)
}

func (g guard) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := g.check(stream.Context()); err != nil {
		return err
	}
	return next(srv, stream)
}
