// Package netport listens at the addresses of settings, and says what is wrong
// with one in words: the setting, the address and, when that is taken, by whom.
package netport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	psnet "github.com/shirou/gopsutil/v3/net"
	"github.com/shirou/gopsutil/v3/process"
)

// TakenError says that something else listens at the address of a setting. It
// is a syscall.EADDRINUSE.
type TakenError struct {
	Setting string // HTTP_ADDR
	Flag    string // --http-addr
	Addr    string
	Owner   string // "nginx (process 123)"; empty when it can't be found out
}

// Error says who it is and what to do.
func (e *TakenError) Error() string {
	owner := e.Owner
	if owner == "" {
		owner = "another program"
	}
	return fmt.Sprintf("%s %s is in use by %s; stop it, or choose another address with %s", e.Setting, e.Addr, owner, e.Flag)
}

// Unwrap is the system's error.
func (e *TakenError) Unwrap() error { return syscall.EADDRINUSE }

// ListenTCP listens at addr, the value of a setting that has a flag. An address
// that is in use is a [TakenError]; every error names the setting.
func ListenTCP(ctx context.Context, setting, flag, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &TakenError{Setting: setting, Flag: flag, Addr: addr, Owner: owner(ctx, addr)}
	case err != nil:
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err // without the address, which stands before it
		}
		return nil, fmt.Errorf("%s %s: %w", setting, addr, err)
	}
	return l, nil
}

// ownerLimit bounds the search through all processes of the system.
const ownerLimit = 5 * time.Second

// owner names the process that listens where addr can't be listened at, as far
// as this user may know.
func owner(ctx context.Context, addr string) string {
	ctx, cancel := context.WithTimeout(ctx, ownerLimit)
	defer cancel()
	wanted, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return ""
	}
	sockets, err := psnet.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return ""
	}
	for _, s := range sockets {
		if s.Status == "LISTEN" && s.Pid != 0 && s.Laddr.Port == uint32(wanted.Port) && collide(s.Laddr.IP, wanted.IP) { //nolint:gosec // a port
			return describe(ctx, s.Pid)
		}
	}
	return ""
}

// collide reports whether one port can't be listened at on both addresses.
// Unspecified ones, also written as nothing or as a star, stand for all.
func collide(listens string, wanted net.IP) bool {
	have, err := netip.ParseAddr(listens)
	if err != nil || have.IsUnspecified() || wanted == nil || wanted.IsUnspecified() {
		return true
	}
	want, ok := netip.AddrFromSlice(wanted)
	return ok && have.Unmap() == want.Unmap()
}

func describe(ctx context.Context, pid int32) string {
	p, err := process.NewProcessWithContext(ctx, pid)
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	name, err := p.NameWithContext(ctx)
	if err != nil || name == "" {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("%s (process %d)", name, pid)
}
