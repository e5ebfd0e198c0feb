package netport

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// SplitAdvertised reads an address that others are told: a host name or an
// address, an IPv6 one in brackets or not, with or without a port. The host
// comes back without brackets; port is 0 when none is named. Nothing comes
// through that would mean something to a shell.
func SplitAdvertised(addr string) (host string, port int, err error) {
	host = addr
	if h, p, err := net.SplitHostPort(addr); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return "", 0, errors.New("its port must be a number from 1 to 65535")
		}
		host, port = h, int(n)
	} else if strings.HasPrefix(addr, "[") && strings.HasSuffix(addr, "]") {
		host = addr[1 : len(addr)-1]
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return "", 0, errors.New("cannot be called: name an address of this host")
	}
	if strings.Contains(host, ":") {
		if ip, err := netip.ParseAddr(host); err != nil || !plainName(ip.Zone(), true) {
			return "", 0, errors.New("is neither a host nor host:port")
		}
		return host, port, nil
	}
	const longest = 253 // of a host name (RFC 1035 and the text form's dots)
	if len(host) > longest || !plainName(host, false) {
		return "", 0, errors.New("is neither a host nor host:port")
	}
	return host, port, nil
}

// plainName reports whether a name has letters, digits, dots, dashes and
// underscores only.
func plainName(name string, mayBeEmpty bool) bool {
	if name == "" {
		return mayBeEmpty
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_", r))
	})
}
