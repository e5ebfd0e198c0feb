package http

import (
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloudai/master/client"
)

// await repeats a condition until it holds, and leaves the processors to those who
// bring that about.
func await(t *testing.T, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come to that")
		}
	}
}

// Large bodies that come at once are bounded in their sum; small ones always
// have room.
func TestF27BodiesAreBounded(t *testing.T) {
	e := newEdge(t)
	e.bodies.most = 1 << 20
	large := func() string { return `{"docker_image":"a","env":{"E":"` + strings.Repeat("x", 100_000) + `"}}` }
	const slow = 10
	replies := make(chan int, slow)
	end := make(chan struct{})
	for range slow { // all but the last byte has come
		body := large()
		reader := io.MultiReader(strings.NewReader(body[:len(body)-1]), untilClosed(end), strings.NewReader("}"))
		r := httptest.NewRequest(nethttp.MethodPost, "/api/tasks", reader)
		go func() {
			w := httptest.NewRecorder()
			e.ServeHTTP(w, r.WithContext(contextOf(r, doorSocket)))
			replies <- w.Code
		}()
	}
	await(t, func() bool { return e.bodies.used.Load() > slow*95_000 })
	post := func(body string) *httptest.ResponseRecorder { return e.ask(t, doorSocket, "POST", "/api/tasks", body) }
	w := post(large())
	decode[client.Problem](t, w, 429)
	if w.Header().Get("Retry-After") == "" {
		t.Errorf("%v", w.Header())
	}
	decode[client.Task](t, post(`{"docker_image":"a"}`), 201)
	close(end)
	for range slow {
		if code := <-replies; code != 201 {
			t.Errorf("a slow one: %d", code)
		}
	}
	decode[client.Task](t, post(large()), 201)
	if used := e.bodies.used.Load(); used != 0 {
		t.Errorf("%d bytes are still taken", used)
	}
}

// untilClosed is a reader that ends when the channel is closed.
type untilClosed <-chan struct{}

func (c untilClosed) Read([]byte) (int, error) {
	<-c
	return 0, io.EOF
}
