package http

import (
	nethttp "net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"cloudai/master/client"
)

var house = proxies{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/8")}

// Only what a trusted proxy has written counts, whatever callers write before it.
func TestOrigin(t *testing.T) {
	for _, tt := range []struct {
		what, peer string
		lines      []string
		want       string
	}{
		{"no proxy", "203.0.113.5:1234", nil, "203.0.113.5"},
		{"nobody's word", "203.0.113.5:1234", []string{"198.51.100.1"}, "203.0.113.5"},
		{"nobody's word about a proxy", "203.0.113.5:1234", []string{"198.51.100.1, 10.1.0.1"}, "203.0.113.5"},
		{"a proxy's own call", "10.1.0.1:1", nil, "10.1.0.1"},
		{"behind a proxy", "10.1.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"behind one on this machine", "127.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"loopback that is none", "127.0.0.2:1", []string{"198.51.100.1"}, "127.0.0.2"},
		{"what the caller wrote before it", "10.1.0.1:1", []string{"127.0.0.1, 1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		{"in a line of its own", "10.1.0.1:1", []string{"1.1.1.1", "198.51.100.1"}, "198.51.100.1"},
		{"the caller names a proxy", "10.1.0.1:1", []string{"2.2.2.2, 10.1.9.9, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.1.0.1:1", []string{"1.1.1.1,198.51.100.1, 10.1.0.2"}, "198.51.100.1"},
		{"two proxies, by lines", "10.1.0.1:1", []string{"1.1.1.1", "198.51.100.1", "10.1.0.2"}, "198.51.100.1"},
		{"a proxy's call through another", "10.1.0.1:1", []string{"10.1.0.2"}, "10.1.0.2"},
		{"garbage from the caller", "10.1.0.1:1", []string{"<script>, \x00, 198.51.100.1"}, "198.51.100.1"},
		{"garbage at the end", "10.1.0.1:1", []string{"1.1.1.1, unknown"}, "10.1.0.1"},
		{"garbage behind the second proxy", "10.1.0.1:1", []string{"1.1.1.1, _hidden, 10.1.0.2"}, "10.1.0.2"},
		{"nothing at the end", "10.1.0.1:1", []string{"1.1.1.1, "}, "10.1.0.1"},
		{"an empty line", "10.1.0.1:1", []string{"1.1.1.1", ""}, "10.1.0.1"},
		{"a name", "10.1.0.1:1", []string{"localhost"}, "10.1.0.1"},
		{"with a port", "10.1.0.1:1", []string{"198.51.100.1:5678"}, "198.51.100.1"},
		{"IPv6", "[fd00::1]:1", []string{"2001:db8::7"}, "2001:db8::7"},
		{"IPv6 with a port", "[fd00::1]:1", []string{"[2001:db8::7]:99"}, "2001:db8::7"},
		{"IPv4 as IPv6", "[::ffff:10.1.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"an address cannot carry more than itself", "10.1.0.1:1", []string{"2001:db8::7%<b>"}, "2001:db8::7"},
		{"a flood", "10.1.0.1:1", []string{strings.Repeat("1.1.1.1,", 8000) + "198.51.100.1"}, "198.51.100.1"},
		{"a flood of proxies", "10.1.0.1:1", []string{"1.1.1.1" + strings.Repeat(", 10.1.0.2", 6000)}, "10.1.0.2"},
	} {
		r := httptest.NewRequest(nethttp.MethodGet, "/", nil)
		r.RemoteAddr = tt.peer
		r.Header["X-Forwarded-For"] = tt.lines
		before := strings.Join(tt.lines, "|")
		if got, secure := house.origin(r); got != tt.want || secure {
			t.Errorf("%s: %q, over TLS %v; want %q", tt.what, got, secure, tt.want)
		}
		if strings.Join(r.Header["X-Forwarded-For"], "|") != before {
			t.Errorf("%s: the header was changed", tt.what)
		}
		if got, _ := proxies(nil).origin(r); got != hostOf(tt.peer) {
			t.Errorf("%s, without a trusted proxy: %q", tt.what, got)
		}
	}
	r := httptest.NewRequest(nethttp.MethodGet, "/", nil)
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	if got, _ := house.origin(r.WithContext(contextOf(r, doorSocket))); got != "" {
		t.Errorf("on the socket: %q", got)
	}
}

func FuzzOrigin(f *testing.F) {
	f.Add("1.1.1.1, 10.1.0.2", "x,,[")
	f.Fuzz(func(t *testing.T, one, other string) {
		r := httptest.NewRequest(nethttp.MethodGet, "/", nil)
		r.Header["X-Forwarded-For"] = []string{one, other, "198.51.100.1, 10.1.0.2"}
		r.RemoteAddr = "10.1.0.1:1"
		if got, _ := house.origin(r); got != "198.51.100.1" {
			t.Fatalf("%q for %q, %q", got, one, other)
		}
		r.Header["X-Forwarded-For"] = []string{one, other}
		got, _ := house.origin(r)
		if a, err := netip.ParseAddr(got); err != nil || a.Zone() != "" {
			t.Fatalf("%q for %q, %q", got, one, other)
		}
	})
}

// Behind a trusted proxy people are throttled each for themselves, the audit log
// has their addresses, and a sign-in over HTTPS stays on HTTPS. Without its word,
// and to a stranger's, none of that holds; and nobody who was forwarded is the
// first.
func TestTrustedProxy(t *testing.T) {
	e := newEdge(t)
	e.proxies = house
	const proxy, stranger = "10.1.0.1:1", "203.0.113.5:1"
	first := `{"name":"x","email":"x@example.org","password":"long enough"}`
	for _, headers := range [][]string{{"X-Forwarded-For: 127.0.0.1"}, {"X-Forwarded-Proto: https"}, {"X-Forwarded-For: 127.0.0.1", "Host: localhost"}} {
		wantProblem(t, e.from(t, "127.0.0.1:9", "POST", "/api/auth/register", first, headers...), 403)
	}
	e.signUp(t, "ann")
	login := func(from, password string, headers ...string) *httptest.ResponseRecorder {
		return e.from(t, from, "POST", "/api/auth/login", `{"email":"ann@example.org","password":"`+password+`"}`, headers...)
	}
	decode[client.Session](t, login(proxy, "long enough", "X-Forwarded-For: 198.51.100.7"), 200)
	for range 10 { // what the guesser writes before it does not help
		wantProblem(t, login(proxy, "wrong", "X-Forwarded-For: 198.51.100.7, 198.51.100.66"), 401)
	}
	wantProblem(t, login(proxy, "long enough", "X-Forwarded-For: 198.51.100.7, 198.51.100.66"), 429)
	wantProblem(t, login(stranger, "long enough", "X-Forwarded-For: 198.51.100.7"), 429)
	decode[client.Session](t, login(proxy, "long enough", "X-Forwarded-For: 198.51.100.7"), 200)
	entries := decode[client.List[client.AuditEntry]](t, e.get(t, "/api/audit?action=login&limit=3"), 200).Items
	for i, want := range []string{"198.51.100.7", "203.0.113.5", "198.51.100.66"} {
		if entries[i].Address != want {
			t.Errorf("entry %d is of %s, not %s", i, entries[i].Address, want)
		}
	}

	for _, tt := range []struct {
		from   string
		proto  []string
		secure bool
	}{
		{proxy, []string{"https"}, true},
		{proxy, []string{"http", "HTTPS"}, true},
		{proxy, []string{"http, https "}, true},
		{proxy, []string{"https, http"}, false},
		{proxy, []string{"https", "http"}, false},
		{proxy, []string{"httpsx"}, false},
		{proxy, []string{""}, false},
		{proxy, nil, false},
	} {
		headers := []string{"X-Forwarded-For: 198.51.100.7"}
		for _, p := range tt.proto {
			headers = append(headers, "X-Forwarded-Proto: "+p)
		}
		w := login(tt.from, "long enough", headers...)
		if c := w.Result().Cookies(); len(c) != 1 || c[0].Secure != tt.secure {
			t.Errorf("%q: %v", tt.proto, c)
		}
	}
	bob, _ := e.signUp(t, "bob")
	w := e.from(t, stranger, "POST", "/api/auth/password", `{"old_password":"long enough","new_password":"long enough 2"}`, bob, "X-Forwarded-Proto: https")
	if c := w.Result().Cookies(); len(c) != 1 || c[0].Secure {
		t.Errorf("a stranger says https: %d %v", w.Code, c)
	}
}
