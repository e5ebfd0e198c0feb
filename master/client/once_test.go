package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

var anyTask = client.TaskRequest{DockerImage: "alpine"}

// between puts something between a client and the master: spoil sees the n-th
// request, from 1, and answers it; false lets it through.
func between(t *testing.T, m *master, patience time.Duration, spoil func(n int64, w nethttp.ResponseWriter, pass func(nethttp.ResponseWriter)) bool) (*client.Client, *atomic.Int64) {
	t.Helper()
	transport := &nethttp.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", m.socket)
	}}
	proxy := httputil.ReverseProxy{Transport: transport, Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(&url.URL{Scheme: "http", Host: "master"})
	}}
	var n atomic.Int64
	server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		pass := func(w nethttp.ResponseWriter) { proxy.ServeHTTP(w, r) }
		if !spoil(n.Add(1), w, pass) {
			pass(w)
		}
	}))
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return connect(t, client.Options{Server: server.URL, Patience: patience}), &n
}

// refuse answers as a master does that has something against it now.
func refuse(w nethttp.ResponseWriter, status int, retryAfter string) bool {
	if retryAfter != "" {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"detail":"not now"}`)
	return true
}

// breakOff ends the connection instead of replying.
func breakOff() bool { panic(nethttp.ErrAbortHandler) }

// What gets lost on its way, or is put off, is sent again; the task is there
// once.
func TestF02SubmitIsRepeated(t *testing.T) {
	m := start(t)
	c, n := between(t, m, time.Minute, func(n int64, w nethttp.ResponseWriter, pass func(nethttp.ResponseWriter)) bool {
		switch n {
		case 1:
			return breakOff()
		case 2:
			return refuse(w, 429, "1")
		case 3: // carried out, and nobody hears of it
			pass(httptest.NewRecorder())
			return breakOff()
		case 4:
			return refuse(w, 503, "")
		case 5:
			return refuse(w, 409, "1")
		}
		return false
	})
	task, err := c.Submit(t.Context(), anyTask)
	must(t, err)
	if task.TaskID != "task0001" || len(m.core.Submits()) != 1 || n.Load() != 6 {
		t.Errorf("%s; %d tasks after %d requests", task.TaskID, len(m.core.Submits()), n.Load())
	}
	again, err := c.Submit(t.Context(), anyTask)
	must(t, err)
	if again.TaskID == task.TaskID {
		t.Error("two submits had the same key")
	}
	must(t, m.core.Run("task0001", "w1"))
	code := 0
	must(t, m.core.Finish("task0001", &code, "", ""))
	n.Store(2)
	retried, err := c.Retry(t.Context(), task.TaskID)
	must(t, err)
	if retried.TaskID != "task0003" || retried.RetryOf != "task0001" {
		t.Errorf("%+v", retried)
	}
}

func TestF02GivenKey(t *testing.T) {
	m := start(t)
	key := client.NewKey()
	first, err := m.client.SubmitOnce(t.Context(), key, anyTask)
	must(t, err)
	must(t, m.core.Run(cluster.TaskID(first.TaskID), "w1"))
	again, err := m.client.SubmitOnce(t.Context(), key, anyTask)
	must(t, err)
	if again.TaskID != first.TaskID || again.Status != "queued" {
		t.Errorf("%+v", again)
	}
	var refused *client.Error
	if _, err := m.client.SubmitOnce(t.Context(), key, client.TaskRequest{DockerImage: "other"}); !errors.As(err, &refused) || refused.Status != 422 {
		t.Errorf("%v", err)
	}
}

// What will not get better is not repeated, and patience has an end.
func TestSubmitGivesUp(t *testing.T) {
	m := start(t)
	for name, tt := range map[string]struct {
		spoil    func(w nethttp.ResponseWriter) bool
		repeated bool
	}{
		"a conflict":      {func(w nethttp.ResponseWriter) bool { return refuse(w, 409, "") }, false},
		"invalid":         {func(w nethttp.ResponseWriter) bool { return refuse(w, 422, "") }, false},
		"an inner error":  {func(w nethttp.ResponseWriter) bool { return refuse(w, 500, "") }, false},
		"always busy":     {func(w nethttp.ResponseWriter) bool { return refuse(w, 429, "1") }, true},
		"always breaking": {func(nethttp.ResponseWriter) bool { return breakOff() }, true},
	} {
		c, n := between(t, m, 300*time.Millisecond, func(_ int64, w nethttp.ResponseWriter, _ func(nethttp.ResponseWriter)) bool {
			return tt.spoil(w)
		})
		if _, err := c.Submit(t.Context(), anyTask); err == nil || (n.Load() > 1) != tt.repeated {
			t.Errorf("%s: %v after %d requests", name, err, n.Load())
		}
	}
	if len(m.core.Submits()) != 0 {
		t.Errorf("%d tasks", len(m.core.Submits()))
	}
	began := time.Now()
	nobody := connect(t, client.Options{Socket: m.socket + "x", Patience: time.Minute})
	var unreachable *client.UnreachableError
	if _, err := nobody.Submit(t.Context(), anyTask); !errors.As(err, &unreachable) || time.Since(began) > 10*time.Second {
		t.Errorf("nobody is there: %v after %s", err, time.Since(began))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	c, _ := between(t, m, time.Minute, func(_ int64, w nethttp.ResponseWriter, _ func(nethttp.ResponseWriter)) bool {
		return refuse(w, 503, "9")
	})
	if _, err := c.Submit(ctx, anyTask); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("left: %v", err)
	}
}
