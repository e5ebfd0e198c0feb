package http

import (
	"strings"
	"testing"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/faultstore"
)

// entries reads the audit log as the master's own administrator.
func (e *edge) entries(t *testing.T, query string) []client.AuditEntry {
	t.Helper()
	return decode[client.List[client.AuditEntry]](t, e.get(t, "/api/audit"+query), 200).Items
}

// Every call of the document that changes something is in the audit log before
// its reply is: what was done, by whom, by which request.
func TestEveryChangeIsAudited(t *testing.T) {
	e, bearer, target := hostileEdge(t)
	made := decode[client.NewAPIToken](t, e.from(t, here, "POST", "/api/auth/tokens", `{"name":"x","scopes":["admin"]}`, bearer), 201)
	bearer = "Authorization: Bearer " + made.Secret // none of the calls ends it
	tried := 0
	for call, op := range operations(t) {
		if call[0] == "GET" {
			continue
		}
		tried++
		action := op["operationId"].(string)
		path := target(call[1])
		w := e.from(t, elsewhere, call[0], path, goodBody(call), bearer, "X-Request-Id: req-"+action)
		got := e.entries(t, "?limit=1&action="+action)
		if len(got) != 1 {
			t.Errorf("%v (%d) is not in the audit log", call, w.Code)
			continue
		}
		entry := got[0]
		if entry.RequestID != "req-"+action || entry.Status != w.Code || (entry.Outcome == "ok") != (w.Code < 400) || entry.Address != "192.0.2.7" {
			t.Errorf("%v (%d): %+v", call, w.Code, entry)
		}
		if id := strings.TrimPrefix(path, "/api/"); strings.Contains(call[1], "task0001") && !strings.Contains(id, entry.Target) {
			t.Errorf("%v (%d) does not name what it was done to: %+v", call, w.Code, entry)
		}
	}
	if tried < 12 {
		t.Fatalf("only %d calls tried", tried)
	}
}

// There is no secret in the log, whatever is sent, and nothing that would drive
// a terminal.
func TestNoSecretsInTheAuditLog(t *testing.T) {
	e := newEdge(t)
	secret := "tr0ub4dor&3"
	e.from(t, here, "POST", "/api/auth/register", `{"name":"ann","email":"ann@example.org","password":"`+secret+`"}`)
	s := decode[client.Session](t, e.from(t, here, "POST", "/api/auth/login", `{"email":"ann@example.org","password":"`+secret+`"}`), 200)
	bearer := "Authorization: Bearer " + s.Token
	e.from(t, here, "POST", "/api/auth/login", `{"email":"`+secret+`","password":"ann@example.org"}`)
	made := decode[client.NewAPIToken](t, e.from(t, here, "POST", "/api/auth/tokens", `{"name":"x","scopes":["read","submit"]}`, bearer), 201)
	e.from(t, here, "POST", "/api/auth/tokens", `{"name":"x"}`, "Authorization: Bearer "+made.Secret)
	e.from(t, here, "POST", "/api/users", `{"name":"bob","email":"bob@example.org","password":"`+secret+`"}`, bearer)
	e.from(t, here, "PATCH", "/api/users/"+s.User.ID, `{"password":"`+secret+`","name":"An"}`, bearer)
	e.from(t, here, "POST", "/api/tasks", `{"docker_image":"alpine","env":{"KEY":"`+secret+`"}}`, bearer)
	e.from(t, here, "POST", "/api/workers", `{"worker_id":"w\u001b[2J","address":"h:1"}`, bearer)
	e.from(t, here, "DELETE", "/api/tasks/%1b%5b2J?x="+secret, "", bearer, "X-Request-Id: \x1b[2J")
	log := e.get(t, "/api/audit?limit=1000").Body.String()
	for _, word := range []string{secret, s.Token, made.Secret, "\x1b", `\u001b`} {
		if strings.Contains(log, word) {
			t.Errorf("%q is in the log:\n%s", word, log)
		}
	}
	for _, word := range []string{made.ID, "name, password", "scopes=read submit", "(not an email)", `"via":"token ` + made.ID} {
		if !strings.Contains(log, word) {
			t.Errorf("%q is not in the log:\n%s", word, log)
		}
	}
}

// What an administrator looks at that is another's is noted, once for each
// thing; what is one's own is not, nor what users look at.
func TestAdministratorsReadsAreAudited(t *testing.T) {
	e := newEdge(t)
	root, rootIn := e.signUp(t, "root")
	bob, bobIn := e.signUp(t, "bob")
	own := e.submit(t, cluster.UserID(rootIn.User.ID), cluster.TaskRequest{})
	bobs := e.submit(t, cluster.UserID(bobIn.User.ID), cluster.TaskRequest{})
	for _, of := range []cluster.TaskID{own, bobs} {
		for _, path := range []string{"/api/tasks/%s", "/api/tasks/%s/logs", "/api/tasks/%s/events", "/api/files/%s"} {
			for range 2 {
				for _, who := range []string{root, bob} {
					e.from(t, elsewhere, "GET", strings.Replace(path, "%s", string(of), 1), "", who)
				}
			}
		}
	}
	seen := map[string]int{}
	for _, entry := range e.entries(t, "?target="+string(bobs)) {
		seen[entry.Action]++
		if entry.UserID != rootIn.User.ID || entry.Owner != bobIn.User.ID || entry.Via != "sign-in" {
			t.Errorf("%+v", entry)
		}
	}
	for _, action := range []string{"getTask", "readTaskLog", "listTaskEvents", "getTaskFiles"} {
		if seen[action] != 1 {
			t.Errorf("%s was noted %d times", action, seen[action])
		}
	}
	if got := e.entries(t, "?target="+string(own)); len(got) != 0 {
		t.Errorf("one's own: %+v", got)
	}
	for _, path := range []string{"/api/tasks", "/api/files", "/api/export", "/api/cluster/join", "/api/users", "/api/audit"} {
		e.from(t, elsewhere, "GET", path, "", bob)
		e.from(t, elsewhere, "GET", path, "", root)
	}
	for _, action := range []string{"listTasks", "listFiles", "exportTasks", "getJoin", "listUsers"} {
		if got := e.entries(t, "?action="+action); len(got) != 1 || got[0].UserID != rootIn.User.ID {
			t.Errorf("%s: %+v", action, got)
		}
	}
}

func TestAuditOverREST(t *testing.T) {
	e := newEdge(t)
	root, rootIn := e.signUp(t, "root")
	bob, bobIn := e.signUp(t, "bob")
	wantProblem(t, e.from(t, elsewhere, "GET", "/api/audit", "", bob), 403)
	wantProblem(t, e.from(t, elsewhere, "GET", "/api/audit?outcome=maybe&limit=0", "", root), 422, "outcome", "limit")
	wantProblem(t, e.from(t, elsewhere, "GET", "/api/audit?cursor=x", "", root), 422, "cursor")
	e.from(t, elsewhere, "POST", "/api/auth/login", `{"email":"bob@example.org","password":"wrong"}`)
	e.from(t, elsewhere, "POST", "/api/auth/login", `{"email":"bob@example.org","password":"long enough"}`)
	e.from(t, elsewhere, "PATCH", "/api/users/"+rootIn.User.ID, `{"role":"user"}`, bob)
	e.from(t, elsewhere, "DELETE", "/api/users/"+rootIn.User.ID, ``, root)

	logins := e.entries(t, "?action=login&target=bob@example.org")
	if len(logins) != 2 || logins[0].Outcome != "ok" || logins[0].UserID != bobIn.User.ID || logins[1].Outcome != "denied" || logins[1].UserID != "" {
		t.Errorf("%+v", logins)
	}
	if got := e.entries(t, "?outcome=denied&user_id="+bobIn.User.ID); len(got) != 1 || got[0].Action != "changeUser" || got[0].Status != 403 {
		t.Errorf("%+v", got)
	}
	if got := e.entries(t, "?outcome=failed"); len(got) != 1 || got[0].Action != "deleteUser" || got[0].Status != 409 {
		t.Errorf("%+v", got)
	}
	var seqs []int64
	for cursor := ""; ; {
		page := decode[client.List[client.AuditEntry]](t, e.from(t, elsewhere, "GET", "/api/audit?limit=2"+cursor, "", root), 200)
		for _, entry := range page.Items {
			seqs = append(seqs, entry.Seq)
		}
		if page.NextCursor == "" {
			break
		}
		cursor = "&cursor=" + page.NextCursor
	}
	for i, seq := range seqs {
		if want := seqs[0] - int64(i); seq != want {
			t.Fatalf("%v", seqs)
		}
	}
	if last := seqs[len(seqs)-1]; last != 1 {
		t.Fatalf("the last one is %d", last)
	}
}

// A store that is away keeps nobody from working; the entries come with the next
// one.
func TestAuditWhileTheStoreIsAway(t *testing.T) {
	e := newEdge(t)
	e.store.Use(func(faultstore.Call) faultstore.Fault { return faultstore.Fault{Err: db.ErrUnavailable} })
	decode[client.Task](t, e.ask(t, doorSocket, "POST", "/api/tasks", `{"docker_image":"alpine"}`), 201)
	wantProblem(t, e.get(t, "/api/audit"), 503)
	e.store.Use(nil)
	e.ask(t, doorSocket, "POST", "/api/tasks", `{"docker_image":"alpine"}`)
	if got := e.entries(t, "?action=submitTask"); len(got) != 2 || got[1].Via != "socket" || got[1].Target == "" {
		t.Errorf("%+v", got)
	}
}

// Calls about many tasks say which were meant and how many it were; what an
// administrator watches by a WebSocket is noted as other reads are.
func TestBulkCallsAndWebSocketsAreAudited(t *testing.T) {
	e := newEdge(t)
	root, rootIn := e.signUp(t, "root")
	bob, bobIn := e.signUp(t, "bob")
	batch := `{"tasks":[{"docker_image":"alpine"},{"docker_image":"alpine","name":"two"},{"docker_image":""}]}`
	e.from(t, elsewhere, "POST", "/api/tasks/batch", batch, bob)
	if got := e.entries(t, "?action=submitBatch"); len(got) != 1 || got[0].Detail != "accepted=2, rejected=1" || got[0].UserID != bobIn.User.ID {
		t.Errorf("%+v", got)
	}
	for body, want := range map[string]string{
		`{"filter":{"task_ids":["none"]},"dry_run":true}`: "cancelled=0, dry_run=true, requested=0, task_ids=none",
		`{"filter":{"labels":{"b":"2","a":"1"},"status":["queued","running"],"user_id":"` + bobIn.User.ID + `"}}`: "cancelled=0, labels=a=1 b=2, requested=0, " +
			"status=queued running, user_id=" + bobIn.User.ID,
	} {
		e.from(t, elsewhere, "POST", "/api/tasks/cancel", body, root)
		if got := e.entries(t, "?limit=1&action=cancelTasks"); len(got) != 1 || got[0].Detail != want || got[0].UserID != rootIn.User.ID {
			t.Errorf("%s: %+v, want %q", body, got, want)
		}
	}

	bobs := e.submit(t, cluster.UserID(bobIn.User.ID), cluster.TaskRequest{})
	base := e.served(t)
	for _, who := range []string{bob, root, root} {
		for _, path := range []string{"/ws/tasks", "/ws/tasks/" + string(bobs) + "/logs"} {
			if conn, status := dial(t, base+path, who, ""); conn == nil {
				t.Fatalf("%s: %d", path, status)
			}
		}
	}
	for action, want := range map[string]client.AuditEntry{"watchTasks": {}, "watchTaskLog": {Target: string(bobs), Owner: bobIn.User.ID}} {
		got := e.entries(t, "?action="+action)
		if len(got) != 1 || got[0].UserID != rootIn.User.ID || got[0].Status != 101 || got[0].Target != want.Target || got[0].Owner != want.Owner {
			t.Errorf("%s: %+v", action, got)
		}
	}
}
