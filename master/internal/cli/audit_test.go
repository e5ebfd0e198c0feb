package cli

import (
	"strings"
	"testing"
)

func TestAudit(t *testing.T) {
	w := newWorld(t)
	if got := w.cli(t, "audit", "--action", "login"); got.code != 0 || got.stdout != "" || !strings.Contains(got.stderr, "nothing") {
		t.Errorf("%+v", got)
	}
	ann := w.person(t, "ann")
	for _, line := range []string{
		"users role ann@example.org admin", "users disable ann@example.org", "cancel task9999", "prune --tasks 30d --dry-run", "task alpine --name x",
	} {
		w.cli(t, strings.Fields(line)...)
	}
	w.random = append(w.random, string(ann.ID[:7]), "ANN----")
	golden(t, "audit", w.transcript(t,
		"audit", "audit --limit 1", "audit --target "+string(ann.ID), "audit --outcome failed", "audit --by nobody@example.org", "audit --by ann@example.org",
		"audit --outcome maybe", "audit --limit 0", "audit --since never", "audit --until 2001-01-01", "audit x",
	))
	got := w.cli(t, "audit", "--action", "submitTask", "-o", "json")
	if got.code != 0 || !strings.Contains(got.stdout, `"action": "submitTask"`) {
		t.Errorf("%+v", got)
	}
}
