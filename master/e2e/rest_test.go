//go:build engine

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"cloudai/master/client"
)

// curl makes one call as a person with curl would, and gives the status and the
// body.
func curl(t *testing.T, args ...string) (status int, body []byte) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "curl", append([]string{"-sS", "--max-time", "60", "-w", "\n%{http_code}"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("curl %v: %v: %s", args, err, errs.String())
	}
	all := out.Bytes()
	at := bytes.LastIndexByte(all, '\n')
	if _, err := fmt.Sscan(string(all[at+1:]), &status); err != nil {
		t.Fatalf("curl %v: %s", args, all)
	}
	return status, all[:at]
}

// person is an account with its token.
type person struct {
	base, bearer string
	id           string
}

// register makes an account over TCP.
func (w *world) register(t *testing.T, name string) person {
	t.Helper()
	base := "http://" + w.HTTP()
	status, body := curl(t, base+"/api/auth/register", "-d", fmt.Sprintf(`{"name":%q,"email":"%s@example.org","password":"long enough"}`, name, name))
	var s client.Session
	if err := json.Unmarshal(body, &s); err != nil || status != 201 {
		t.Fatalf("register %s: %d %s", name, status, body)
	}
	return person{base: base, bearer: "Authorization: Bearer " + s.Token, id: s.User.ID}
}

// call makes one call and decodes a reply with that status.
func call[T any](t *testing.T, p person, want int, path string, args ...string) (out T) {
	t.Helper()
	status, body := curl(t, append([]string{p.base + path, "-H", p.bearer}, args...)...)
	if status != want {
		t.Fatalf("%s %v: %d, want %d: %s", path, args, status, want, body)
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &out); err != nil {
			t.Fatalf("%s: %v in %s", path, err, body)
		}
	}
	return out
}

// The whole way by curl over TCP: an account, a task, its log, its file; and
// nothing of it for anybody else.
func TestRESTByCurl(t *testing.T) {
	t.Parallel()
	w, _ := newCluster(t, "8")
	ann := w.register(t, "ann")
	bob := w.register(t, "bob")
	if me := call[client.User](t, ann, 200, "/api/auth/me"); me.Role != "admin" {
		t.Errorf("the first account is %s", me.Role)
	}
	// bob's is the plain one: ann, an administrator, may see everything.
	spec, err := json.Marshal(client.TaskRequest{
		DockerImage: w.image, Args: []string{"sh", "-c", "echo hi; mkdir /output/d; echo 42 >'/output/d/the answer'"}, Name: "secret name", Network: "none",
	})
	must(t, err)
	task := call[client.Task](t, bob, 201, "/api/tasks", "-d", string(spec))
	done := call[client.Task](t, bob, 200, "/api/tasks/"+task.TaskID+"?wait=60s")
	if done.Status != "succeeded" || done.UserID != bob.id {
		t.Fatalf("%+v", done)
	}
	if status, log := curl(t, bob.base+"/api/tasks/"+task.TaskID+"/logs", "-H", bob.bearer); status != 200 || string(log) != "hi\n" {
		t.Errorf("%d %q", status, log)
	}
	files := call[client.Files](t, bob, 200, "/api/files/"+task.TaskID)
	if len(files.Files) != 1 || files.Files[0].Path != "d/the answer" {
		t.Fatalf("%+v", files)
	}
	status, content := curl(t, bob.base+"/api/files/"+task.TaskID+"/content/d/the%20answer", "-H", bob.bearer)
	if sum := sha256.Sum256(content); status != 200 || string(content) != "42\n" || hex.EncodeToString(sum[:]) != files.Files[0].SHA256 {
		t.Errorf("%d %q, the list says %+v", status, content, files.Files[0])
	}
	if status, part := curl(t, bob.base+"/api/files/"+task.TaskID+"/content/d/the%20answer", "-H", bob.bearer, "-r", "1-1"); status != 206 || string(part) != "2" {
		t.Errorf("a range: %d %q", status, part)
	}
	again := call[client.Task](t, bob, 201, "/api/tasks/"+task.TaskID+"/retry", "-X", "POST")
	if again.RetryOf != task.TaskID {
		t.Errorf("%+v", again)
	}
	w.ended(t, again.TaskID)
	eve := w.register(t, "eve")
	for _, p := range []person{{base: bob.base, bearer: "X-Nobody: 1"}, eve} {
		want := 404
		if p.id == "" {
			want = 401
		}
		for _, c := range [][]string{
			{"/api/tasks/" + task.TaskID},
			{"/api/tasks/" + task.TaskID + "?wait=1s"},
			{"/api/tasks/" + task.TaskID + "/events"},
			{"/api/tasks/" + task.TaskID + "/logs"},
			{"/api/tasks/" + task.TaskID + "/logs?follow=true"},
			{"/api/tasks/" + task.TaskID + "/metrics"},
			{"/api/tasks/" + task.TaskID, "-X", "DELETE"},
			{"/api/tasks/" + task.TaskID, "-X", "PATCH", "-d", "{}"},
			{"/api/tasks/" + task.TaskID, "-X", "PATCH", "-d", "{"},
			{"/api/tasks/" + task.TaskID + "/retry", "-X", "POST"},
			{"/api/files/" + task.TaskID},
			{"/api/files/" + task.TaskID + "/download"},
			{"/api/files/" + task.TaskID + "/download?format=zip"},
			{"/api/files/" + task.TaskID + "/content/d/the%20answer"},
			{"/api/files/" + task.TaskID, "-X", "DELETE"},
		} {
			status, body := curl(t, append([]string{p.base + c[0], "-H", p.bearer}, c[1:]...)...)
			if status != want || strings.Contains(string(body), "secret name") || strings.Contains(string(body), bob.id) {
				t.Errorf("%v: %d, want %d: %s", c, status, want, body)
			}
		}
	}
	for _, path := range []string{"/api/tasks", "/api/task-ids", "/api/files", "/api/workers/w1/tasks", "/telemetry", "/api/workers"} {
		status, body := curl(t, eve.base+path, "-H", eve.bearer)
		if status != 200 || strings.Contains(string(body), task.TaskID) || strings.Contains(string(body), bob.id) {
			t.Errorf("%s tells eve of bob's task: %d %s", path, status, body)
		}
	}
	if all := call[client.List[client.Task]](t, ann, 200, "/api/tasks"); len(all.Items) != 2 {
		t.Errorf("the administrator sees %d tasks", len(all.Items))
	}
	if status, _ := curl(t, bob.base+"/api/files/"+task.TaskID, "-H", bob.bearer, "-X", "DELETE"); status != 204 {
		t.Errorf("delete: %d", status)
	}
	if gone := call[client.Files](t, bob, 200, "/api/files/"+task.TaskID); len(gone.Files) != 0 {
		t.Errorf("%+v", gone)
	}
}

// A sign-in, an API token and an ended sign-in outlast the master, also one
// that was killed.
func TestIdentityOutlivesTheMaster(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.register(t, "ann")
	token := call[client.NewAPIToken](t, ann, 201, "/api/auth/tokens", "-d", `{"name":"ci"}`)
	ci := person{base: ann.base, bearer: "Authorization: Bearer " + token.Secret}
	status, body := curl(t, ann.base+"/api/auth/login", "-d", `{"email":"ann@example.org","password":"long enough"}`)
	var second client.Session
	if err := json.Unmarshal(body, &second); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	ended := person{base: ann.base, bearer: "Authorization: Bearer " + second.Token}
	call[struct{}](t, ended, 204, "/api/auth/logout", "-X", "POST")
	must(t, w.Master.Kill())
	must(t, w.StartMaster(t.Context()))
	call[client.User](t, ann, 200, "/api/auth/me")
	call[client.User](t, ci, 200, "/api/auth/me")
	call[client.Problem](t, ended, 401, "/api/auth/me")
	if bob := w.register(t, "bob"); call[client.User](t, bob, 200, "/api/auth/me").Role != "user" {
		t.Error("the second account is not a user's")
	}
}
