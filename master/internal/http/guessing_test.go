package http

import (
	"net/http/httptest"
	"strconv"
	"testing"

	"cloudai/master/client"
)

// Who guesses too often hears how long to wait, also with the right password,
// and nobody else does.
func TestGuessing(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "ann")
	login := func(addr, password string) *httptest.ResponseRecorder {
		return e.from(t, addr, "POST", "/api/auth/login", `{"email":"ann@example.org","password":"`+password+`"}`)
	}
	decode[client.Session](t, login(here, "long enough"), 200)
	for range 10 {
		wantProblem(t, login(elsewhere, "wrong"), 401)
	}
	for _, password := range []string{"wrong", "long enough"} {
		w := login(elsewhere, password)
		wantProblem(t, w, 429)
		if after, err := strconv.Atoi(w.Header().Get("Retry-After")); err != nil || after < 800 || after > 900 {
			t.Errorf("with %q: come back after %q seconds", password, w.Header().Get("Retry-After"))
		}
	}
	decode[client.Session](t, login(here, "long enough"), 200)
	decode[client.User](t, e.from(t, elsewhere, "GET", "/api/auth/me", "", bearer), 200)
	decode[client.Session](t, e.ask(t, doorSocket, "POST", "/api/auth/login", `{"email":"ann@example.org","password":"long enough"}`), 200)
}
