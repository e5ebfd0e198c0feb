package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// PlaintextIdentity is for TLS=off. addrs are all the addresses that are
// listened on or called; see [CheckLoopback].
func PlaintextIdentity(addrs ...string) (Identity, error) {
	if len(addrs) == 0 {
		return Identity{}, errors.New("TLS can't be off: no address was given to check")
	}
	if err := CheckLoopback(addrs...); err != nil {
		return Identity{}, err
	}
	return Identity{plaintext: true}, nil
}

// CheckLoopback returns an error that names the first address that others than
// this machine may reach or answer at. Addresses are "host:port", "host" or
// "unix:path". Of names only localhost is taken for loopback: what others
// resolve to may change. An empty host means every interface.
func CheckLoopback(addrs ...string) error {
	for _, addr := range addrs {
		if !isLoopback(addr) {
			return fmt.Errorf("TLS can be off only when everything is on loopback, and %q is not: use 127.0.0.1 or leave TLS on", addr)
		}
	}
	return nil
}

func isLoopback(addr string) bool {
	if strings.HasPrefix(addr, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// plaintextCredentials checks at each connection what CheckLoopback checked of
// the configuration: addresses that came up later, like a worker's own, are
// held to the same rule.
type plaintextCredentials struct {
	credentials.TransportCredentials
}

func newPlaintextCredentials() credentials.TransportCredentials {
	return plaintextCredentials{insecure.NewCredentials()}
}

// ClientHandshake refuses servers beyond loopback.
func (c plaintextCredentials) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if err := checkLocalConn(conn); err != nil {
		return nil, nil, err
	}
	return c.TransportCredentials.ClientHandshake(ctx, authority, conn)
}

// ServerHandshake refuses clients beyond loopback.
func (c plaintextCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if err := checkLocalConn(conn); err != nil {
		return nil, nil, err
	}
	return c.TransportCredentials.ServerHandshake(conn)
}

// Clone returns a copy that checks the same.
func (c plaintextCredentials) Clone() credentials.TransportCredentials {
	return plaintextCredentials{c.TransportCredentials.Clone()}
}

// checkLocalConn looks at TCP only: other kinds of connections can't leave the
// machine.
func checkLocalConn(conn net.Conn) error {
	if _, ok := conn.RemoteAddr().(*net.TCPAddr); !ok {
		return nil
	}
	return CheckLoopback(conn.RemoteAddr().String())
}
