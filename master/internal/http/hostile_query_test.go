package http

import (
	"fmt"
	nethttp "net/http"
	"strings"
	"testing"
)

// parameters are those that the document has for a call, in the query or in the
// header.
func parameters(op map[string]any, where string) (names []string) {
	list, _ := op["parameters"].([]any)
	for _, p := range list {
		if p := p.(map[string]any); p["in"] == where {
			names = append(names, p["name"].(string))
		}
	}
	return names
}

// F23: every parameter of every call with hostile values, and one that the call
// does not have: an answer, or a complaint that names it.
func TestF23HostileQueries(t *testing.T) {
	e, bearer, target := hostileEdge(t)
	values := []string{
		"", "%00", "%ff", "-1", "0", "1001", "1e308", "NaN", "-Inf", "99999999999999999999", "x", "a%0ab", "%1b%5b2J", "%f0%9f%a6%8a",
		"%e2%80%aex", "'%20OR%201=1", "../..", strings.Repeat("x", 10000), "%5b%5d", "%7b%7d", "null", "1%261",
	}
	tried := 0
	for call, op := range operations(t) {
		if openPaths[call[1]] || call[0] == "DELETE" || call[1] == "/api/auth/logout" {
			continue // they take none, or would end what the others are about
		}
		for _, name := range append(parameters(op, "query"), "nonsense") {
			for _, value := range values {
				tried++
				w := e.from(t, here, call[0], target(call[1])+"?"+name+"="+value, goodBody(call), bearer)
				switch {
				case w.Code == 422 && complainsOf(t, w, name):
				case name != "nonsense" && (w.Code < 300 || w.Code == nethttp.StatusRequestedRangeNotSatisfiable && name == "offset"):
				case name != "nonsense" && w.Code == 404 && (name == "attempt" || strings.HasPrefix(call[1], "/api/files/")):
				default:
					t.Errorf("%v?%s=%.40s: %d %s", call, name, value, w.Code, w.Body)
				}
			}
			for _, broken := range []string{"%zz", "%", "a;b=c"} {
				w := e.from(t, here, call[0], target(call[1])+"?"+name+"="+broken, goodBody(call), bearer)
				if w.Code != 422 || !complainsOf(t, w, "query") {
					t.Errorf("%v?%s=%s: %d %s", call, name, broken, w.Code, w.Body)
				}
			}
			if name == "label" { // may be given several times
				continue
			}
			twice := e.from(t, here, call[0], target(call[1])+"?"+name+"=1&"+name+"=1", goodBody(call), bearer)
			if twice.Code != 422 || !complainsOf(t, twice, name) {
				t.Errorf("%v with %s twice: %d %s", call, name, twice.Code, twice.Body)
			}
		}
		for _, name := range parameters(op, "header") {
			for _, value := range []string{"", "x", "-1", `"`, `"99999999999999999999"`, "W/\"1\"", "*", strings.Repeat("x", 10000), "\xff", "é", "a,b"} {
				tried++
				w := e.from(t, here, call[0], target(call[1]), goodBody(call), bearer, name+": "+value)
				if w.Code >= 500 || w.Code == 422 && !complainsOf(t, w, name) {
					t.Errorf("%v with %s: %.40q: %d %s", call, name, value, w.Code, w.Body)
				}
			}
		}
	}
	t.Logf("%d calls tried", tried)
}

// F23: ids and paths in paths are anything at all; none of them is found, and
// none is more than not found.
func TestF23HostilePaths(t *testing.T) {
	e, bearer, _ := hostileEdge(t)
	ids := []string{
		"%00", "%ff", "..%2f..", "%2e%2e", "a%0ab", "%1b", strings.Repeat("x", 300), strings.Repeat("x", 30000), "%f0%9f%a6%8a", "*", "%25",
		"..%5c..", "-1", "null", "%20", "'--", "%e2%80%ae",
	}
	calls := operations(t)
	calls[[2]string{"GET", "/ws/telemetry/task0001"}] = nil
	for call := range calls {
		if !strings.Contains(call[1], "task0001") {
			continue
		}
		for _, id := range ids {
			w := e.from(t, here, call[0], strings.Replace(call[1], "task0001", id, 1), goodBody(call), bearer)
			switch w.Code {
			case nethttp.StatusNotFound, nethttp.StatusUnprocessableEntity:
			default:
				t.Errorf("%v with %.20s: %d %s", call, id, w.Code, w.Body)
			}
		}
	}
	for _, path := range append(ids, "a/../../b", "../../../../etc/passwd", "/etc/passwd", ".", "a//b", "%2fetc%2fpasswd", "a/%2e%2e/%2e%2e/b", "") {
		w := e.from(t, here, "GET", fmt.Sprintf("/api/files/%s/content/%s", "task0001", path), "", bearer)
		if w.Code != nethttp.StatusNotFound && w.Code != nethttp.StatusUnprocessableEntity {
			t.Errorf("content %.20s: %d %s", path, w.Code, w.Body)
		}
	}
}
