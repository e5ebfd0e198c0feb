package http

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

// served is the edge on a real port.
func (e *edge) served(t *testing.T) (base string) {
	t.Helper()
	server := httptest.NewServer(e)
	t.Cleanup(func() {
		e.stop() // hijacked connections are not the server's any more
		server.Close()
	})
	return "ws" + strings.TrimPrefix(server.URL, "http")
}

// dial opens a WebSocket; a refusal gives its status instead.
func dial(t *testing.T, url, bearer, origin string) (*websocket.Conn, int) {
	t.Helper()
	header := map[string][]string{}
	if bearer != "" {
		header["Authorization"] = []string{strings.TrimPrefix(bearer, "Authorization: ")}
	}
	if origin != "" {
		header["Origin"] = []string{origin}
	}
	conn, reply, err := websocket.DefaultDialer.DialContext(t.Context(), url, header)
	if err != nil {
		if reply == nil {
			t.Fatal(err)
		}
		defer reply.Body.Close()
		var p client.Problem
		if err := json.NewDecoder(reply.Body).Decode(&p); err != nil || p.Status != reply.StatusCode {
			t.Errorf("%s: no problem comes with %d: %v", url, reply.StatusCode, err)
		}
		return nil, reply.StatusCode
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, 101
}

func frame[T any](t *testing.T, conn *websocket.Conn) client.Frame[T] {
	t.Helper()
	var f client.Frame[T]
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	if err := conn.ReadJSON(&f); err != nil {
		t.Fatal(err)
	}
	return f
}

func aWorker(id string, cpu float64, running ...string) coordinator.WorkerView {
	v := coordinator.WorkerView{
		Worker: cluster.Worker{ID: cluster.WorkerID(id)}, Status: cluster.WorkerActive,
		Used: &cluster.Sample{CPU: cpu}, LastHeartbeat: time.Now(),
	}
	for _, task := range running {
		v.Running = append(v.Running, coordinator.RunningView{TaskID: cluster.TaskID(task), Attempt: 1})
	}
	return v
}

type all = map[string]*client.Telemetry

func TestWatchTelemetry(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "ann")
	e.core.SetWorkers(aWorker("w1", 1), aWorker("w2", 2))
	conn, _ := dial(t, e.served(t)+"/ws/telemetry", bearer, "")
	first := frame[all](t, conn)
	if first.Seq != 1 || first.Type != "snapshot" || len(first.Data) != 2 || *first.Data["w1"].CPUUsage != 1 {
		t.Fatalf("%+v", first)
	}
	e.core.SetWorkers(aWorker("w1", 5))
	have := first.Data
	for seq := int64(2); have["w2"] != nil || *have["w1"].CPUUsage != 5; seq++ {
		f := frame[all](t, conn)
		if f.Seq != seq || f.Type != "delta" || len(f.Data) == 0 {
			t.Fatalf("%+v", f)
		}
		for id, now := range f.Data {
			have[id] = now // null takes it away
		}
	}
}

func TestWatchOneWorker(t *testing.T) {
	e := newEdge(t)
	_, s := e.signUp(t, "ann")
	e.core.SetWorkers(aWorker("w1", 1), aWorker("w2", 2))
	base := e.served(t)
	conn, _ := dial(t, base+"/ws/telemetry/w2?access_token="+s.Token, "", "")
	if f := frame[*client.Telemetry](t, conn); f.Type != "snapshot" || f.Data.WorkerID != "w2" {
		t.Fatalf("%+v", f)
	}
	e.core.SetWorkers(aWorker("w1", 9), aWorker("w2", 3))
	if f := frame[*client.Telemetry](t, conn); f.Type != "delta" || *f.Data.CPUUsage != 3 {
		t.Fatalf("%+v", f)
	}
	e.core.SetWorkers(aWorker("w1", 9))
	if f := frame[*client.Telemetry](t, conn); f.Seq != 3 || f.Data != nil {
		t.Fatalf("%+v", f)
	}
	if _, status := dial(t, base+"/ws/telemetry/none?access_token="+s.Token, "", ""); status != 404 {
		t.Fatalf("%d", status)
	}
}

func TestWatchRefused(t *testing.T) {
	e := newEdge(t)
	root, s := e.signUp(t, "root")
	base := e.served(t)
	blind := decode[client.NewAPIToken](t, e.from(t, here, "POST", "/api/auth/tokens", `{"name":"x","scopes":["submit"]}`, root), 201)
	for name, c := range map[string]struct {
		url, bearer, origin string
		want                int
	}{
		"nobody":             {"/ws/telemetry", "", "", 401},
		"a wrong token":      {"/ws/telemetry?access_token=x", "", "", 401},
		"without the scope":  {"/ws/telemetry", "Authorization: Bearer " + blind.Secret, "", 403},
		"nor a worker's":     {"/ws/telemetry/none", "Authorization: Bearer " + blind.Secret, "", 403},
		"from another site":  {"/ws/telemetry", root, "https://evil.example", 403},
		"an odd query":       {"/ws/telemetry?since=1", root, "", 422},
		"a token twice":      {"/ws/telemetry?access_token=" + s.Token + "&access_token=x", "", "", 422},
		"the configured one": {"/ws/telemetry", root, "http://localhost:3000", 101},
		"its own page":       {"/ws/telemetry", root, strings.Replace(base, "ws", "http", 1), 101},
	} {
		if _, got := dial(t, base+c.url, c.bearer, c.origin); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	w := e.from(t, here, "GET", "/ws/telemetry", "", root)
	wantProblem(t, w, 400)
}

// One who reads too slowly is told to begin again, with all there is, and
// misses nothing after that.
func TestSlowWatcherIsResynced(t *testing.T) {
	e := newEdge(t)
	bearer, _ := e.signUp(t, "ann")
	e.core.SetWorkers(aWorker("w1", 1))
	e.core.Flood()
	conn, _ := dial(t, e.served(t)+"/ws/telemetry", bearer, "")
	for seq, want := range []string{"snapshot", "resync"} {
		if f := frame[all](t, conn); f.Seq != int64(seq+1) || f.Type != want || len(f.Data) != 1 {
			t.Fatalf("%+v, want %s", f, want)
		}
	}
	e.core.SetWorkers(aWorker("w1", 2))
	if f := frame[all](t, conn); f.Seq != 3 || f.Type != "delta" || *f.Data["w1"].CPUUsage != 2 {
		t.Fatalf("%+v", f)
	}
}

// A sign-in that ends takes its connections with it, and so does the master.
func TestWatchEnds(t *testing.T) {
	e := newEdge(t)
	bearer, s := e.signUp(t, "ann")
	base := e.served(t)
	conn, _ := dial(t, base+"/ws/telemetry", bearer, "")
	frame[all](t, conn)
	who := identity{Principal: cluster.Principal{UserID: cluster.UserID(s.User.ID), Role: cluster.RoleAdmin}, credential: s.Token}
	must(t, e.revalidate(t.Context(), who))
	plain := who
	plain.Role = cluster.RoleUser
	if err := e.revalidate(t.Context(), plain); err == nil {
		t.Error("a connection outlives a change of what its caller may do")
	}
	must(t, e.accounts.Logout(t.Context(), s.Token))
	if err := e.revalidate(t.Context(), who); err == nil {
		t.Error("a connection outlives its sign-in")
	}
	expired := who
	expired.until = time.Now().Add(-time.Second)
	if err := e.awaitEnd(t.Context(), expired); err == nil {
		t.Error("a connection outlives the time of its sign-in")
	}
	e.stop()
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	if _, _, err := conn.NextReader(); !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
		t.Errorf("the end of the master: %v", err)
	}
}
