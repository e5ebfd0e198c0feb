package rig

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// processes are those that serve this engine below dockerd: its containerd and
// the shims. Each of them is told a path in the engine's folder. word must be in
// the command line too.
func (d *Dockerd) processes(word string) []string {
	return processesWhere("cmdline", func(text []byte) bool {
		program, _, _ := bytes.Cut(text, []byte{0})
		return strings.HasPrefix(filepath.Base(string(program)), "containerd") &&
			bytes.Contains(text, []byte(d.execRoot()+"/")) && bytes.Contains(text, []byte(word))
	})
}

// processesWhere are the numbers of the processes whose file under /proc is as
// wanted.
func processesWhere(file string, wanted func([]byte) bool) []string {
	files, err := filepath.Glob("/proc/[0-9]*/" + file)
	if err != nil {
		return nil
	}
	var pids []string
	for _, f := range files {
		// One that cannot be read has ended meanwhile.
		if text, err := os.ReadFile(f); err == nil && wanted(text) {
			pids = append(pids, filepath.Base(filepath.Dir(f)))
		}
	}
	return pids
}

// killAll kills processes by number and waits until they are gone.
func killAll(ctx context.Context, pids []string) error {
	var errs []error
	for _, pid := range pids {
		if err := asRoot(ctx, "kill", "-KILL", pid); err != nil && alive(pid) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, Await(ctx, downLimit, func(context.Context) error {
		for _, pid := range pids {
			if alive(pid) {
				return errors.New("process " + pid + " has not ended")
			}
		}
		return nil
	}))
	return errors.Join(errs...)
}

// alive reports whether a process is there and has not ended: what nobody has
// waited for yet does no more.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// sweep removes what an engine leaves that did not end in order: processes,
// mounts and control groups.
func (d *Dockerd) sweep(ctx context.Context) error {
	group := []byte("/" + d.netns + "/")
	err := killAll(ctx, append(d.processes(""), processesWhere("cgroup", func(text []byte) bool { return bytes.Contains(text, group) })...))
	err = errors.Join(err, removeGroups(ctx, d.netns))
	mounts, readErr := mountsBelow(d.dir)
	err = errors.Join(err, readErr)
	for _, m := range mounts {
		err = errors.Join(err, asRoot(ctx, "umount", "--lazy", m))
	}
	return err
}

// removeGroups removes the control groups of that name, which are empty, with
// all below them.
func removeGroups(ctx context.Context, name string) error {
	var groups []string
	// On some systems there is one tree, on others one per resource.
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		tops, err := filepath.Glob(pattern + name)
		if err != nil {
			return err
		}
		for _, top := range tops {
			err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
				if err == nil && e.IsDir() {
					groups = append(groups, path)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	slices.Reverse(groups) // the inner ones first
	var errs []error
	for _, g := range groups {
		// A process that has ended leaves its group a moment later.
		errs = append(errs, Await(ctx, downLimit, func(ctx context.Context) error { return asRoot(ctx, "rmdir", g) }))
	}
	return errors.Join(errs...)
}

// mountsBelow are the mount points in a folder, the inner ones first.
func mountsBelow(dir string) ([]string, error) {
	table, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer table.Close()
	var mounts []string
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		point := unescape(fields[4])
		if point == dir || strings.HasPrefix(point, dir+"/") {
			mounts = append(mounts, point)
		}
	}
	slices.Reverse(mounts)
	return mounts, lines.Err()
}

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
