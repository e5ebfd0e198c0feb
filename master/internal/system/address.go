// Package system asks the machine about itself. It decides nothing.
package system

import (
	"context"
	"net"
	"slices"
	"strings"
)

// Addresses are those at which other machines may reach this one, the likeliest
// first; none when it has no network. An address that only this machine's own
// containers use comes last.
func Addresses(ctx context.Context) []string {
	var all []string
	add := func(ip string) {
		if ip != "" && !slices.Contains(all, ip) {
			all = append(all, ip)
		}
	}
	add(routed(ctx))
	interfaces, err := net.Interfaces()
	if err != nil {
		return all
	}
	var bridges []string
	for _, i := range interfaces {
		for _, ip := range globalOf(i) {
			if isBridge(i.Name) {
				bridges = append(bridges, ip)
			} else {
				add(ip)
			}
		}
	}
	for _, ip := range bridges {
		add(ip)
	}
	return all
}

// routed is the source address of what is sent beyond this machine's networks.
func routed(ctx context.Context) string {
	var dialer net.Dialer
	// Connecting a UDP socket sends nothing; it makes the system choose a route.
	// The address belongs to documentation (RFC 5737) and to nobody.
	conn, err := dialer.DialContext(ctx, "udp4", "192.0.2.1:9")
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }() // nothing was sent
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil || net.ParseIP(host).IsLoopback() {
		return ""
	}
	return host
}

func globalOf(i net.Interface) (ips []string) {
	if i.Flags&net.FlagUp == 0 {
		return nil
	}
	addresses, err := i.Addrs()
	if err != nil {
		return nil
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			ips = append(ips, n.IP.String())
		}
	}
	return ips
}

// isBridge recognises the networks of container engines by their usual names.
func isBridge(name string) bool {
	for _, prefix := range []string{"docker", "br-", "veth", "virbr", "cni", "podman"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
