package system

import (
	"net"
	"testing"
)

func TestAddressesAreThisMachines(t *testing.T) {
	var own []string
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		own = append(own, a.(*net.IPNet).IP.String())
	}
	seen := map[string]bool{}
	for _, ip := range Addresses(t.Context()) {
		known := false
		for _, o := range own {
			known = known || o == ip
		}
		if parsed := net.ParseIP(ip); !known || seen[ip] || parsed.IsLoopback() || parsed.IsLinkLocalUnicast() {
			t.Errorf("%s of %v", ip, own)
		}
		seen[ip] = true
	}
}
