package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

// left are the lines that stand on a terminal in the end, of what began at the
// left and erased whole lines only.
func left(screen string) []string {
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(screen, "\r\n", "\n"), "\n") {
		parts := strings.Split(line, "\r\x1b[2K")
		lines = append(lines, parts[len(parts)-1])
	}
	return lines
}

func (w *world) progress(t *testing.T, id cluster.TaskID, done, total int64) {
	t.Helper()
	must(t, w.core.Edit(id, func(v *coordinator.TaskView, _ time.Time) error {
		v.Progress = &coordinator.Progress{DoneBytes: done, TotalBytes: total}
		if done < 0 {
			v.Progress = nil
		}
		return nil
	}))
}

// The bar of a pull or an upload tears no line apart and leaves nothing behind.
func TestBar(t *testing.T) {
	const mib = 1 << 20
	w := newWorld(t)
	id := w.submit(t, cluster.TaskRequest{})
	must(t, w.core.Edit(id, func(v *coordinator.TaskView, now time.Time) (err error) {
		v.Task, err = v.Assign("w1", "lease", now)
		return err
	}))
	p := w.once(t, "monitor", string(id))
	p.sees("assigned on w1")
	w.progress(t, id, 5*mib, 0)
	p.sees("pulling the image  5 MiB")
	w.progress(t, id, 25*mib, 100*mib)
	p.sees("pulling the image  25% [", "] 25 MiB of 100 MiB")
	p.resize(30, 30)
	w.progress(t, id, 50*mib, 100*mib)
	p.sees("pulling the image  50% 50 MiB\r") // no more than fits, drawn over and over
	p.resize(120, 30)
	must(t, w.core.Edit(id, func(v *coordinator.TaskView, now time.Time) (err error) {
		v.Progress = nil
		v.Task, _, err = v.Observe(cluster.Observation{States: []cluster.StateTime{
			{State: cluster.StateImagePulled, Time: now}, {State: cluster.StateContainerCreated, Time: now}, {State: cluster.StateRunning, Time: now},
		}}, now)
		return err
	}))
	p.sees("running on w1")
	w.progress(t, id, 3*mib, 4*mib)
	p.sees("keeping the files  75% [")
	w.append(t, id, 1, "o:between\n", "o:half a line")
	p.sees("between\r\n", "half a line")
	w.log(t, id, 1, "o:between\n", "o:half a line", "o: and its end\n")
	p.sees("and its end\r\n", "keeping the files  75% [")
	must(t, w.core.Finish(id, ptr(0), "", ""))
	p.sees("succeeded")
	p.leaves(0)
	for _, line := range left(p.screen.all()) {
		if strings.Contains(line, "%") || strings.Contains(line, "MiB") {
			t.Errorf("the bar is left: %q", line)
		}
	}
	for _, line := range []string{"between", "half a line and its end"} {
		if !strings.Contains("\n"+strings.Join(left(p.screen.all()), "\n")+"\n", "\n"+line+"\n") {
			t.Errorf("%q is torn apart in %q", line, left(p.screen.all()))
		}
	}
}

func TestNoBar(t *testing.T) {
	w := newWorld(t)
	var out bytes.Buffer
	b := bar{out: w.shell(&out, &out).err}
	b.show("pulling", 1, 2) // not on a terminal
	b.aside(func() {})
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
	b.out.tty = true
	b.draw()
	b.hide() // nothing to hide
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
	b.show("pulling", 1, 2)
	b.aside(func() { out.WriteString("aside\n") })
	b.hide()
	if got := left(out.String()); len(got) != 2 || got[0] != "aside" || got[1] != "" {
		t.Errorf("%q", got)
	}
}

func TestDownloadBar(t *testing.T) {
	w := populate(t)
	dir := filepath.Join(t.TempDir(), "here")
	p := w.once(t, "download", "task0003", dir)
	p.sees("downloading   0% [", "answer  3 B\r\n", "2 files of 2.9 KiB")
	p.leaves(0)
	if strings.Contains(strings.Join(left(p.screen.all()), "\n"), "%") {
		t.Errorf("%q", p.screen.all())
	}
	if _, err := os.Stat(filepath.Join(dir, "answer")); err != nil {
		t.Error(err)
	}
}

func TestBarText(t *testing.T) {
	for _, tt := range []struct {
		done, total int64
		columns     int
		want        string
	}{
		{0, 100, 60, "pulling   0% [                               ] 0 B of 100 B"},
		{50, 100, 60, "pulling  50% [===============               ] 50 B of 100 B"},
		{100, 100, 60, "pulling 100% [=============================] 100 B of 100 B"},
		{500, 100, 60, "pulling 100% [=============================] 500 B of 100 B"},
		{50, 100, 31, "pulling  50% [ ] 50 B of 100 B"},
		{50, 100, 30, "pulling  50% 50 B of 100 B"},
		{50, 100, 10, "pulling  "},
		{2048, 0, 60, "pulling  2 KiB"},
	} {
		got := barText("pulling", tt.done, tt.total, "", tt.columns)
		if got != tt.want || len(got) >= tt.columns {
			t.Errorf("%d of %d in %d: %q, want %q", tt.done, tt.total, tt.columns, got, tt.want)
		}
	}
}
