package workerconn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"cloudai/master/internal/cluster"
	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

// Introduce calls a host:port of which nothing is known yet, tells who answers
// there where this master is, and has it prove that it knows the join token,
// which is not sent. It says who has answered, which may be another worker than
// the one that was meant. The connection is not kept.
//
// cluster.ErrConnRefused: nothing listens there. cluster.ErrDenied: whoever
// answers does not know the token, or takes another master's calls. Other
// errors say what came instead of an answer.
func (p *Pool) Introduce(ctx context.Context, worker cluster.WorkerID, address string) (cluster.Hello, error) {
	if p.isClosed() {
		return cluster.Hello{}, errClosed
	}
	dialer := transport.NewDialer(transport.UnpinnedCredentials(p.config.Identity))
	conn, err := newConn(address, dialer)
	if err != nil {
		return cluster.Hello{}, fmt.Errorf("%s: %w", address, err)
	}
	defer conn.Close()
	request := p.masterInfo(ctx, worker, address)
	request.Challenge = transport.NewChallenge()
	var from peer.Peer
	ack, err := pb.NewWorkerClient(conn).MasterRegister(ctx, request, grpc.Peer(&from))
	if err != nil {
		return cluster.Hello{}, noIntroduction(ctx, address, dialer, err)
	}
	// Of this very connection; empty without TLS, which has no fingerprints.
	fingerprint, _ := transport.FingerprintOf(&from)
	want := transport.Proof(p.config.JoinSecret, request.Challenge, p.config.Identity.Fingerprint, fingerprint, ack.WorkerId, ack.Session)
	if p.config.JoinSecret == "" || !transport.ProofHolds(ack.Proof, want) {
		return cluster.Hello{}, doesNotKnow(address)
	}
	hello := helloFromWire(ack)
	hello.Fingerprint = fingerprint
	return hello, nil
}

func doesNotKnow(address string) error {
	return fmt.Errorf("%w: whoever answers at %s does not know the join token", cluster.ErrDenied, address)
}

// noIntroduction says in words why there is no answer from an address.
func noIntroduction(ctx context.Context, address string, dialer *transport.Dialer, err error) error {
	said := status.Convert(err)
	var dial *net.OpError
	switch failed := dialer.Err(); {
	case errors.Is(failed, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nothing listens at %s", cluster.ErrConnRefused, address)
	case ctx.Err() != nil:
		return fmt.Errorf("no answer from %s: %w", address, ctx.Err())
	case errors.As(failed, &dial) && dial.Op == "dial":
		return fmt.Errorf("no connection to %s: %w", address, failed)
	case failed != nil:
		return fmt.Errorf("what answers at %s does not speak TLS as a worker does: %w", address, failed)
	case said.Code() == codes.Unauthenticated:
		return doesNotKnow(address)
	case said.Code() == codes.Unimplemented:
		return fmt.Errorf("what answers at %s is no worker: %s", address, said.Message())
	default:
		return fmt.Errorf("%s: %s", address, said.Message())
	}
}

func (p *Pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// masterInfo is who calls the worker at an address.
func (p *Pool) masterInfo(ctx context.Context, worker cluster.WorkerID, address string) *pb.MasterInfo {
	return &pb.MasterInfo{
		MasterId:      p.config.MasterID,
		MasterAddress: seenFrom(ctx, address, p.config.MasterAddress),
		ClusterId:     p.config.ClusterID,
		WorkerId:      string(worker),
	}
}

// seenFrom is the address at which the worker may reach us: own, with the
// source address of packets to the worker for an unspecified host. Where that
// can't be found out, own is returned, and the worker makes nothing of it.
func seenFrom(ctx context.Context, worker, own string) string {
	host, port, err := net.SplitHostPort(own)
	if err != nil || !unspecified(host) {
		return own
	}
	// Connecting a UDP socket sends nothing; it makes the system choose a route.
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", worker)
	if err != nil {
		return own
	}
	defer conn.Close()
	source, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return own
	}
	return net.JoinHostPort(source.IP.String(), port)
}

func unspecified(host string) bool {
	if host == "" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsUnspecified()
}
