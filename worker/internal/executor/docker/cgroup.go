package docker

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"cloudai/worker/internal/executor"
)

// cgroups reads a container's use from the kernel's files, which costs
// microseconds, where the engine takes a second for one sample. Both versions
// are read, below the parents that Docker uses with either cgroup driver.
type cgroups struct {
	root fs.FS // /sys/fs/cgroup, the root of the tree as this process sees it
}

// parents of a container's group, by cgroup driver; %s is the container's id.
var parents = []string{"docker/%s", "system.slice/docker-%s.scope"}

// group is where a container's files are.
type group struct {
	v2                bool
	cpu, memory, pids string // folders
}

// find returns the container's group; false when it is not to be seen here,
// since it has ended, or the engine is elsewhere.
func (c cgroups) find(id string) (group, bool) {
	for _, parent := range parents {
		dir := strings.Replace(parent, "%s", id, 1)
		if c.exists(path.Join(dir, "memory.current")) {
			return group{v2: true, cpu: dir, memory: dir, pids: dir}, true
		}
		for _, cpu := range []string{"cpuacct", "cpu,cpuacct", "cpuacct,cpu"} {
			g := group{cpu: path.Join(cpu, dir), memory: path.Join("memory", dir), pids: path.Join("pids", dir)}
			if c.exists(path.Join(g.cpu, "cpuacct.usage")) && c.exists(path.Join(g.memory, "memory.usage_in_bytes")) {
				return g, true
			}
		}
	}
	return group{}, false
}

func (c cgroups) exists(name string) bool {
	_, err := fs.Stat(c.root, name)
	return err == nil
}

const mib = 1 << 20

// read samples a group. What the kernel does not tell stays zero; an error
// means that the group is gone.
func (c cgroups) read(g group) (executor.Usage, error) {
	names := struct{ current, peak, inactive string }{"memory.usage_in_bytes", "memory.max_usage_in_bytes", "total_inactive_file"}
	if g.v2 {
		names.current, names.peak, names.inactive = "memory.current", "memory.peak", "inactive_file"
	}
	var u executor.Usage
	current, err := c.number(path.Join(g.memory, names.current))
	if err != nil {
		return executor.Usage{}, err
	}
	stat, err := c.fields(path.Join(g.memory, "memory.stat"))
	if err != nil {
		return executor.Usage{}, err
	}
	// Cached files that the kernel may drop at any time are not counted, as
	// Docker's own numbers have it.
	u.Memory = float64(max(0, current-stat[names.inactive])) / mib
	if peak, err := c.number(path.Join(g.memory, names.peak)); err == nil {
		u.MemoryPeak = float64(peak) / mib
	}
	if pids, err := c.number(path.Join(g.pids, "pids.current")); err == nil {
		u.Pids = pids
	}
	if g.v2 {
		cpu, err := c.fields(path.Join(g.cpu, "cpu.stat"))
		u.CPUSeconds = float64(cpu["usage_usec"]) / 1e6
		return u, err
	}
	ns, err := c.number(path.Join(g.cpu, "cpuacct.usage"))
	u.CPUSeconds = float64(ns) / 1e9
	return u, err
}

// number reads a file of one number.
func (c cgroups) number(name string) (int64, error) {
	data, err := fs.ReadFile(c.root, name)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}

// fields reads a file of lines "name number".
func (c cgroups) fields(name string) (map[string]int64, error) {
	data, err := fs.ReadFile(c.root, name)
	if err != nil {
		return nil, err
	}
	fields := map[string]int64{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			continue // not a number: none that is asked for
		}
		fields[key] = n
	}
	return fields, lines.Err()
}
