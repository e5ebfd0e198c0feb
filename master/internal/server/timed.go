package server

import (
	"context"
	"path"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// Timed are the options of a gRPC server that tells how each call went: the
// method's name without the service, the name of the code, and how long it took.
func Timed(observe func(method, code string, d time.Duration)) []grpc.ServerOption {
	tell := func(method string, start time.Time, err error) {
		observe(path.Base(method), status.Code(err).String(), time.Since(start))
	}
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			start := time.Now()
			out, err := next(ctx, in)
			tell(info.FullMethod, start, err)
			return out, err
		}),
		grpc.ChainStreamInterceptor(func(s any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			start := time.Now()
			err := next(s, stream)
			tell(info.FullMethod, start, err)
			return err
		}),
	}
}
