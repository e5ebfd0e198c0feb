package http

import (
	nethttp "net/http"
	"net/netip"
	"slices"
	"strings"
)

// proxies are the addresses whose word about who calls is taken.
type proxies []netip.Prefix

func (p proxies) have(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// maxHops is how many proxies may stand in a row.
const maxHops = 16

// origin is where a call comes from, without the port, and whether it got here
// over TLS; on the socket the address is empty. What headers say counts only when
// one of the proxies has connected, and of X-Forwarded-For only what proxies have
// written: the right-most address that is none of theirs. What stands further to
// the left is the caller's own word.
func (p proxies) origin(r *nethttp.Request) (address string, secure bool) {
	if doorOf(r) == doorSocket {
		return "", r.TLS != nil
	}
	peer, ok := parseAddr(r.RemoteAddr)
	if !ok || !p.have(peer) {
		return hostOf(r.RemoteAddr), r.TLS != nil
	}
	return p.behind(peer, slices.Clone(r.Header.Values("X-Forwarded-For"))).String(), r.TLS != nil || saysHTTPS(r.Header)
}

// behind walks from a proxy to whoever is behind it. Where the trail ends or
// cannot be read, it is the last address that is known for certain.
func (p proxies) behind(peer netip.Addr, lines []string) netip.Addr {
	for hops := 1; hops < maxHops && len(lines) > 0; hops++ {
		last := len(lines) - 1
		entry := lines[last]
		if comma := strings.LastIndexByte(entry, ','); comma >= 0 {
			lines[last], entry = entry[:comma], entry[comma+1:]
		} else {
			lines = lines[:last]
		}
		a, ok := parseAddr(strings.TrimSpace(entry))
		if !ok {
			return peer
		}
		if peer = a; !p.have(a) {
			return peer
		}
	}
	return peer
}

// saysHTTPS reports whether the proxy that has connected was called over TLS.
func saysHTTPS(h nethttp.Header) bool {
	lines := h.Values("X-Forwarded-Proto")
	if len(lines) == 0 {
		return false
	}
	last := lines[len(lines)-1]
	return strings.EqualFold(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:]), "https")
}

// parseAddr reads an address, with or without a port or a zone.
func parseAddr(hostport string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(hostOf(hostport))
	return a.Unmap().WithZone(""), err == nil
}
