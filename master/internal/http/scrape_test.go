package http

import (
	nethttp "net/http"
	"net/http/httptest"
	"testing"
)

// stuckWriter is a client that does not read.
type stuckWriter struct {
	*httptest.ResponseRecorder
	writes, gone chan struct{}
}

func (w stuckWriter) Write(data []byte) (int, error) {
	w.writes <- struct{}{}
	<-w.gone
	return len(data), nil
}

// Few look the metrics up at a time; one too many is told when to come again,
// and those who do not read what they hear keep nobody out.
func TestScrapesAreBounded(t *testing.T) {
	e := newEdge(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	e.metrics = nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		asked <- struct{}{}
		<-answer
		w.WriteHeader(nethttp.StatusAccepted)
		_, _ = w.Write([]byte("cloudai_x 1\n"))
	})
	stuck := stuckWriter{httptest.NewRecorder(), make(chan struct{}), make(chan struct{})}
	ended := make(chan struct{}, maxScrapes)
	for range maxScrapes {
		go func() {
			r := httptest.NewRequest(nethttp.MethodGet, "/metrics", nil)
			own := stuckWriter{httptest.NewRecorder(), stuck.writes, stuck.gone}
			e.ServeHTTP(own, r.WithContext(contextOf(r, doorTCP)))
			ended <- struct{}{}
		}()
		<-asked
	}
	refused := e.ask(t, doorTCP, "GET", "/metrics", "")
	wantProblem(t, refused, 503)
	if refused.Header().Get("Retry-After") == "" {
		t.Error("not told when to come again")
	}
	close(answer)
	for range maxScrapes {
		<-stuck.writes
	}
	go func() { <-asked }()
	if w := e.ask(t, doorTCP, "GET", "/metrics", ""); w.Code != nethttp.StatusAccepted || w.Body.String() != "cloudai_x 1\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	close(stuck.gone)
	for range maxScrapes {
		<-ended
	}
}
