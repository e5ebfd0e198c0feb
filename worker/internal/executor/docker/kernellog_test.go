package docker

import (
	"strings"
	"testing"
)

// The log of a kernel around a kill, as far as it matters, for each way of
// arranging and naming groups.
const (
	oomID     = "f992cc4a83d969f14b1d9c85e104c9de2804e68224f715c0422c4804010e38d6"
	nestedID  = "7163b097885c35b263d4f97faa111694241169c792cbbe239785a30bcad5ce29"
	killPlain = `<4>[21275.469302] tail invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
<6>[21275.469360] memory: usage 16384kB, limit 16384kB, failcnt 43
<6>[21275.469364] Memory cgroup stats for GROUP:
<6>[21275.469460] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=` + oomID + `,mems_allowed=0,oom_memcg=GROUP,task_memcg=TASK,task=tail,pid=24640,uid=0
<3>[21275.469477] Memory cgroup out of memory: Killed process 24640 (tail) total-vm:17816kB, anon-rss:15616kB, file-rss:1264kB, shmem-rss:0kB, UID:0 pgtables:76kB oom_score_adj:0
`
	killOld = `[ 1275.469302] tail invoked oom-killer: gfp_mask=0x24000c0, order=0, oom_score_adj=0
[ 1275.469360] Task in TASK killed as a result of limit of GROUP
[ 1275.469370] memory: usage 16384kB, limit 16384kB, failcnt 43
[ 1275.469477] Memory cgroup out of memory: Kill process 24640 (tail) score 953 or sacrifice child
`
	killGlobal = `<6>[21275.469460] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=` + oomID + `,mems_allowed=0,global_oom,task_memcg=TASK,task=tail,pid=24640,uid=0
<3>[21275.469477] Out of memory: Killed process 24640 (tail) total-vm:17816kB, anon-rss:15616kB, file-rss:1264kB, shmem-rss:0kB, UID:0 pgtables:76kB oom_score_adj:0
`
)

func TestF12KernelTellsOfTheKill(t *testing.T) {
	own, scope := "/docker/"+oomID, "/system.slice/docker-"+oomID+".scope"
	nested := own + "/docker/" + nestedID
	for name, c := range map[string]struct {
		log, group, task string
		want             bool
	}{
		"cgroupfs":                {killPlain, own, own, true},
		"systemd":                 {killPlain, scope, scope, true},
		"an engine in an engine":  {killPlain, "/docker/" + nestedID + own, "/docker/" + nestedID + own, true},
		"a group made inside":     {killPlain, own, own + "/sub", true},
		"old kernel":              {killOld, own, own, true},
		"old kernel, systemd":     {killOld, scope, scope, true},
		"another container":       {killPlain, "/docker/" + nestedID, "/docker/" + nestedID, false},
		"another, old kernel":     {killOld, "/docker/" + nestedID, "/docker/" + nestedID, false},
		"limit of all containers": {killPlain, "/docker", own, false},
		"the same, old kernel":    {killOld, "/docker", own, false},
		"limit made inside":       {killPlain, nested, nested, false},
		"the whole machine":       {killGlobal, "", own, false},
	} {
		log := strings.NewReplacer("GROUP", c.group, "TASK", c.task).Replace(c.log)
		for _, log := range []string{log, "before\n" + log + "after", strings.TrimSuffix(log, "\n")} {
			if got := toldOfKill(log, oomID); got != c.want {
				t.Errorf("%s: %v of\n%s", name, got, log)
			}
		}
	}
	// On a busy machine other lines come between the pieces of one.
	if split := "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null)\nother\n,oom_memcg=" + own + "\n,task_memcg=" + own; !toldOfKill(split, oomID) {
		t.Error("a line in pieces is not understood")
	}
	if toldOfKill("", oomID) {
		t.Error("an empty log tells of a kill")
	}
}
