package docker

import (
	"path"
	"strings"
)

// The kernel's log names the control group whose limit led to a kill, and so the
// container. It is the one witness that does not depend on the engine, whose
// watch over a short container may begin, or be read, too late. The line is there
// before the process gets its signal. It is lost when the kernel has printed much
// since, and left out when there are more than ten kills in five seconds.

// limitReached are the words before the name of the group whose limit was
// reached, as kernels since 4.19 print them, and as older ones do. A kill because
// the whole machine is out of memory names no such group.
var limitReached = []string{",oom_memcg=", " killed as a result of limit of "}

// afterGroup is what follows the group on the same line.
const afterGroup = ",task_memcg="

// toldOfKill reports whether the log tells of a kill at the container's own
// limit. One at the limit of a group around it, or of one that was made inside of
// it, is not the task's.
func toldOfKill(log, id string) bool {
	for line := range strings.Lines(log) {
		for _, words := range limitReached {
			_, group, found := strings.Cut(strings.TrimSuffix(line, "\n"), words)
			if !found {
				continue
			}
			group, _, _ = strings.Cut(group, afterGroup)
			// By the cgroup driver: cgroupfs, systemd.
			if name := path.Base(group); name == id || strings.HasSuffix(name, "-"+id+".scope") {
				return true
			}
		}
	}
	return false
}
