package netport

import "testing"

func TestSplitAdvertised(t *testing.T) {
	for addr, want := range map[string]struct {
		host string
		port int
	}{
		"host": {"host", 0}, "a-b.example:80": {"a-b.example", 80}, "10.0.0.1": {"10.0.0.1", 0}, "10.0.0.1:50051": {"10.0.0.1", 50051},
		"::1": {"::1", 0}, "[::1]": {"::1", 0}, "[2001:db8::1]:65535": {"2001:db8::1", 65535}, "fe80::1%eth0": {"fe80::1%eth0", 0},
	} {
		if host, port, err := SplitAdvertised(addr); err != nil || host != want.host || port != want.port {
			t.Errorf("%q: %q %d, %v", addr, host, port, err)
		}
	}
	for _, addr := range []string{
		"", ":", ":1", "host:", "host:0", "host:99999", "host:-1", "http://x", "http://x:1", "a b", "a b;rm -rf /", "a$(x)", "[", "[]", "[::1", "a:b:c",
		"ü", "x\ny", "fe80::1%e;x", "0.0.0.0", "[::]:1",
	} {
		if host, port, err := SplitAdvertised(addr); err == nil {
			t.Errorf("%q is taken for %q %d", addr, host, port)
		}
	}
}
