//go:build engine

package e2e

import (
	"strings"
	"testing"
)

// inside prints what a container sees of its frame, by cgroup v1 or v2.
const inside = `
first() { for f; do if [ -r "$f" ]; then cat "$f"; return; fi; done; echo none; }
cd /sys/fs/cgroup
echo "memory $(first memory.max memory/memory.limit_in_bytes)"
echo "cpu $(first cpu.max cpu/cpu.cfs_quota_us)"
echo "period $(first cpu/cpu.cfs_period_us)"
echo "pids $(first pids.max pids/pids.max)"
echo "swap $(first memory.swap.max memory/memory.memsw.limit_in_bytes)"
grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/self/status
echo "init $(tr '\0' ' ' </proc/1/cmdline)"
echo "networks $(ls /sys/class/net | tr '\n' ' ')"
echo "env $CLOUD"
`

// The limits hold inside the container, not only in the engine's papers.
func testLimits(t *testing.T, w *world) {
	r := w.small(inside)
	r.CPURequired, r.MemoryRequired = ptr(0.25), ptr[int64](48)
	r.Env = map[string]string{"CLOUD": "a b=c"}
	id := w.submit(t, r)
	w.succeeded(t, id)
	seen := map[string]string{}
	for line := range strings.Lines(w.log(t, id, "")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		if label, rest, tabbed := strings.Cut(strings.TrimSpace(line), ":\t"); tabbed {
			name, value = label, rest
		}
		seen[name] = value
	}
	const caps = "00000000000004fb" // CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID NET_BIND_SERVICE
	for name, accepted := range map[string][]string{
		"memory":     {"50331648"},
		"cpu":        {"25000 100000", "25000"},
		"period":     {"100000", "none"}, // v2 has it in cpu.max
		"pids":       {"1024"},
		"swap":       {"0", "50331648", "none"}, // v1 counts memory and swap together
		"CapBnd":     {caps},
		"CapEff":     {caps},
		"NoNewPrivs": {"1"},
		"Seccomp":    {"2"},
		"networks":   {"lo"},
		"env":        {"a b=c"},
	} {
		if !oneOf(seen[name], accepted) {
			t.Errorf("%s is %q, want one of %q", name, seen[name], accepted)
		}
	}
	if !strings.Contains(seen["init"], "init") {
		t.Errorf("process 1 is %q", seen["init"])
	}
}

func oneOf(value string, accepted []string) bool {
	for _, a := range accepted {
		if value == a {
			return true
		}
	}
	return false
}
