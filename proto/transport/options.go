package transport

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

const (
	// pingEvery is how long a connection may be silent before its far end is
	// asked for a sign of life. gRPC allows clients nothing shorter.
	pingEvery   = 10 * time.Second
	pingTimeout = 5 * time.Second
	// pingAtMost is how often a client may ask; below pingEvery, so that a
	// delayed ping and a prompt one after it are not taken for abuse.
	pingAtMost = pingEvery / 2

	// connectTimeout bounds one attempt to connect, handshake included, on
	// both sides. A host that drops packets would else hold an attempt for
	// 20 s and be found that much later.
	connectTimeout = 5 * time.Second
	backoffBase    = 200 * time.Millisecond
	backoffMax     = 3 * time.Second

	// Windows in bytes: what may be on its way on one stream (1 MiB fills
	// 100 Mbit/s at 80 ms) and on one connection. They are fixed, since the
	// adaptive ones grow to 16 MiB, times the number of workers.
	streamWindow = 1 << 20
	connWindow   = 4 << 20
)

// ServerOptions returns the options of a server that is called by clients with
// [DialOptions]. more is added at the end.
func ServerOptions(id Identity, more ...grpc.ServerOption) []grpc.ServerOption {
	return append([]grpc.ServerOption{
		grpc.Creds(ServerCredentials(id)),
		grpc.ConnectionTimeout(connectTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingAtMost, PermitWithoutStream: true}),
		grpc.MaxRecvMsgSize(MaxMessage),
		grpc.MaxSendMsgSize(MaxMessage),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connWindow),
	}, more...)
}

// DialOptions returns the options of a connection that is kept for as long as
// both ends live, to the server with the pinned fingerprint. more is added at
// the end.
func DialOptions(id Identity, pinned string, more ...grpc.DialOption) []grpc.DialOption {
	return dialOptions(ClientCredentials(id, pinned), more...)
}

func dialOptions(creds credentials.TransportCredentials, more ...grpc.DialOption) []grpc.DialOption {
	return append([]grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: backoffBase, Multiplier: 1.6, Jitter: 0.2, MaxDelay: backoffMax},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(MaxMessage),
			grpc.MaxCallSendMsgSize(MaxMessage),
		),
		grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithStaticConnWindowSize(connWindow),
		grpc.WithIdleTimeout(0), // stay connected, also when nothing is said
		// Master and workers reach each other directly; the proxy of the
		// environment is for pulling images. Nor does DNS configure gRPC.
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
	}, more...)
}
