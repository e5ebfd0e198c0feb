package http

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"cloudai/master/client"
	"cloudai/master/internal/auth"
	"cloudai/master/internal/cluster"
)

// everyRoute are the calls of the document and what is routed beside it, which
// is found in the source, so that a new route of either kind is tried.
func everyRoute(t *testing.T) map[[2]string]map[string]any {
	t.Helper()
	all := operations(t)
	files, err := filepath.Glob("*.go")
	must(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		must(t, err)
		for _, found := range regexp.MustCompile(`\.Handle(?:Func)?\("(\w+) ([^"]+)"`).FindAllSubmatch(source, -1) {
			path := strings.NewReplacer("{id}", "task0001", "{path...}", "a/b").Replace(string(found[2]))
			all[[2]string{string(found[1]), path}] = nil
		}
	}
	all[[2]string{"GET", "/api/nothing"}] = nil
	all[[2]string{"GET", "/debug/pprof/"}] = nil
	return all
}

// forgedTokens are credentials that look like sign-ins of a real account.
func forgedTokens(t *testing.T, e *edge, s client.Session) map[string]string {
	t.Helper()
	key := []byte(strings.Repeat("k", 32)) // the edge's own
	now := time.Now()
	good := func() jwt.MapClaims {
		return jwt.MapClaims{"iss": "c1", "sub": s.User.ID, "jti": "x", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "gen": 0}
	}
	sign := func(method jwt.SigningMethod, k any, change func(jwt.MapClaims)) string {
		c := good()
		change(c)
		text, err := jwt.NewWithClaims(method, c).SignedString(k)
		must(t, err)
		return text
	}
	same := func(jwt.MapClaims) {}
	signed := func(k string, in auth.SignIn) string {
		text, err := auth.NewSigner([]byte(k), "c1", time.Now).Sign(in)
		must(t, err)
		return text
	}
	of := auth.SignIn{ID: "x", UserID: cluster.UserID(s.User.ID), IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	// The test's own way of signing is right: what it forges fails for its flaw.
	if w := e.from(t, elsewhere, "GET", "/api/auth/me", "", "Authorization: Bearer "+signed(string(key), of)); w.Code != 200 {
		t.Fatalf("the test's own token is refused: %d %s", w.Code, w.Body)
	}
	expired, early := of, of
	expired.IssuedAt, expired.ExpiresAt = now.Add(-2*time.Hour), now.Add(-time.Hour)
	early.Generation = 99
	parts := strings.Split(s.Token, ".")
	return map[string]string{
		"none":             "",
		"expired":          signed(string(key), expired),
		"wrong key":        signed(strings.Repeat("x", 32), of),
		"wrong generation": signed(string(key), early),
		"alg none":         sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same),
		"alg HS512":        sign(jwt.SigningMethodHS512, key, same),
		"another cluster":  sign(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["iss"] = "c2" }),
		"nobody":           sign(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["sub"] = "nobody" }),
		"an operator":      sign(jwt.SigningMethodHS256, key, func(c jwt.MapClaims) { c["sub"] = map[string]string{"$gt": ""} }),
		"no signature":     parts[0] + "." + parts[1] + ".",
		"another's claims": parts[0] + "." + parts[1] + "x." + parts[2],
		"an old API token": auth.NewSecret(),
		"control bytes":    "\x00\xff..",
		"a megabyte":       strings.Repeat("a", 1<<16),
	}
}

// F22: no route, of those that are and of those that will be, answers who has
// nothing good to show, in whatever way it is shown; and nothing happens.
func TestF22NoIdentityGetsIn(t *testing.T) {
	e := newEdge(t)
	_, s := e.signUp(t, "root")
	id := e.submit(t, "ann", cluster.TaskRequest{})
	forged := forgedTokens(t, e, s)
	submits, tried := len(e.core.Submits()), 0
	for call := range everyRoute(t) {
		if openPaths[call[1]] {
			continue
		}
		path := strings.Replace(call[1], "task0001", string(id), 1)
		for name, token := range forged {
			ways := [][]string{{"Authorization: Bearer " + token}, {"Cookie: " + sessionCookie + "=" + token}}
			if name == "none" {
				ways = [][]string{
					{},
					{client.UserHeader + ": local"},
					{"X-Forwarded-For: 127.0.0.1"},
					{"X-Remote-User: local"},
					{"Authorization: Basic bG9jYWw6"},
					{"Authorization: Bearer " + s.Token, "Authorization: Bearer " + s.Token},
					{"Authorization: " + s.Token},
					{"X-Original-URL: /health", "X-Rewrite-URL: /health"},
					{"X-HTTP-Method-Override: GET"},
				}
			}
			for _, headers := range ways {
				tried++
				if w := e.from(t, elsewhere, call[0], path, goodBody(call), headers...); w.Code != 401 {
					t.Errorf("%v with %s (%.60q): %d %.200s", call, name, headers, w.Code, w.Body)
				}
			}
			if name == "none" || name == "control bytes" {
				continue
			}
			tried++
			if w := e.from(t, elsewhere, call[0], path+"?access_token="+token, goodBody(call)); w.Code != 401 {
				t.Errorf("%v with %s in the query: %d %.200s", call, name, w.Code, w.Body)
			}
		}
	}
	if n := len(e.core.Submits()); n != submits {
		t.Errorf("%d tasks were submitted", n-submits)
	}
	t.Logf("%d calls refused", tried)
}

// endless is a body of zeros that counts what is read of it.
type endless struct{ left, read int64 }

// Read gives more of it.
func (b *endless) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n := int(min(b.left, int64(len(p))))
	clear(p[:n])
	b.left, b.read = b.left-int64(n), b.read+int64(n)
	return n, nil
}

// F23: of a body of 50 MB no call reads more than it may hold, whoever sends it,
// and whether its length is said or not.
func TestF23HugeBodies(t *testing.T) {
	e, bearer, target := hostileEdge(t)
	const huge = 50 << 20
	for call := range operations(t) {
		if call[0] == "GET" {
			continue // those read none
		}
		for _, who := range []string{"X-Nobody: x", bearer} {
			if who == bearer && strings.HasSuffix(call[1], "/batch") {
				continue // it may be as much
			}
			for _, said := range []int64{huge, -1} {
				body := &endless{left: huge}
				r := httptest.NewRequest(call[0], target(call[1]), body)
				r.RemoteAddr, r.Host, r.ContentLength = elsewhere, "127.0.0.1:8080", said
				name, value, _ := strings.Cut(who, ": ")
				r.Header.Set(name, value)
				w := httptest.NewRecorder()
				e.ServeHTTP(w, r)
				most := int64(maxBody + 64<<10)
				if call == [2]string{"POST", "/api/tasks"} {
					most = maxTaskBody + 64<<10
				}
				if who != bearer && !openPaths[call[1]] {
					most = 0
				}
				if w.Code >= 500 || body.read > most {
					t.Errorf("%v by %.20q: %d, %d bytes were read", call, who, w.Code, body.read)
				}
			}
		}
	}
}

// F23: what one proxy takes for a body and another for a second request is
// refused, or is a body: no request hides in another one.
func TestF23Smuggling(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "root")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := e.server(doorTCP)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		must(t, server.Close())
		if err := <-served; !errors.Is(err, nethttp.ErrServerClosed) {
			t.Error(err)
		}
	})
	task := `{"docker_image":"smuggled"}`
	inner := fmt.Sprintf("POST /api/tasks HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", bearer, len(task), task)
	for name, head := range map[string]string{
		"both lengths":          fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", len(inner)+5),
		"two lengths":           fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n\r\n", len(inner)),
		"a list of lengths":     fmt.Sprintf("Content-Length: 0, %d\r\n\r\n", len(inner)),
		"a signed length":       "Content-Length: +0\r\n\r\n",
		"a hexadecimal length":  "Content-Length: 0x0\r\n\r\n",
		"an unknown encoding":   "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"two encodings":         "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"a space before colon":  "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"a folded header":       "X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a NUL in a header":     "X-A: \x00\r\nContent-Length: 0\r\n\r\n",
		"a bare CR in a header": "X-A: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a bad chunk size":      "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
		"a huge chunk size":     "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n",
		"a header of 1 MB":      "X-A: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
	} {
		before := len(e.core.Submits())
		conn, err := net.Dial("tcp", l.Addr().String())
		must(t, err)
		must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, _ = io.WriteString(conn, "POST /api/auth/logout HTTP/1.1\r\nHost: localhost\r\n"+head+inner) // may be cut off while it is sent
		reader := bufio.NewReader(conn)
		answer, err := nethttp.ReadResponse(reader, nil)
		if err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			if answer.StatusCode < 400 {
				t.Errorf("%s: %d", name, answer.StatusCode)
			}
			rest, err := io.ReadAll(reader)
			var timeout net.Error
			refused := len(rest) == 0 || strings.HasPrefix(string(rest), "HTTP/1.1 400 ")
			if !refused || errors.As(err, &timeout) && timeout.Timeout() {
				t.Errorf("%s: the connection goes on after %d: %.100q", name, answer.StatusCode, rest)
			}
		}
		must(t, conn.Close())
		if n := len(e.core.Submits()); n != before {
			t.Errorf("%s: a request was smuggled in", name)
		}
	}
	// The request itself is one that counts.
	conn, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	_, err = io.WriteString(conn, inner)
	must(t, err)
	if answer, err := nethttp.ReadResponse(bufio.NewReader(conn), nil); err != nil || answer.StatusCode != nethttp.StatusCreated {
		t.Fatalf("%v %v", answer, err)
	}
	must(t, conn.Close())
}

// F23: no spelling of a way up leads out of a task's folder.
func TestF23TraversalInEveryEncoding(t *testing.T) {
	e, bearer, _ := hostileEdge(t)
	secret := filepath.Join(e.filesDir, "..", "secret")
	must(t, os.WriteFile(secret, []byte("do not read me"), 0o600))
	up := []string{
		"..", "%2e%2e", ".%2e", "%252e%252e", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae", "..%00", "..;", "%uff0e%uff0e", "%ef%bc%8e%ef%bc%8e", "....", "..%0d", "%2e%2e%20",
	}
	slash := []string{"/", "%2f", "%252f", "%5c", "\\", "%c0%af", "%ef%bc%8f", "//", "/./"}
	for _, u := range up {
		for _, s := range slash {
			for _, depth := range []int{1, 4} {
				way := strings.Repeat(u+s, depth) + "secret"
				for _, route := range []string{"/api/files/task0001/content/", "/api/files/", "/api/tasks/", "/"} {
					w := e.fromRaw(t, route+way, bearer)
					if w.Code < 300 || w.Code >= 500 || strings.Contains(w.Body.String(), "do not read me") {
						t.Errorf("%s%s: %d %.100s", route, way, w.Code, w.Body)
					}
				}
			}
		}
	}
}

// fromRaw asks for a target that need not be a good URL.
func (e *edge) fromRaw(t *testing.T, target, bearer string) *httptest.ResponseRecorder {
	t.Helper()
	text := "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n" + bearer + "\r\n\r\n"
	r, err := nethttp.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	w := httptest.NewRecorder()
	if err != nil {
		w.Code = nethttp.StatusBadRequest // what net/http answers by itself
		return w
	}
	r.RemoteAddr = elsewhere
	e.ServeHTTP(w, r)
	return w
}
