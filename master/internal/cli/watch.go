package cli

import (
	"context"
	"sync"
	"time"

	"cloudai/master/client"
)

// watchStep is how often a watched task is looked at between its start and its
// end; the end itself is told by the master.
const watchStep = 400 * time.Millisecond

// watcher stays with a task until its verdict.
type watcher struct {
	c       *command
	id      string
	log     *logPrinter       // nil: the log is not shown
	attempt int               // whose log is shown, or was last
	quiet   bool              // without hints
	tell    func(client.Task) // what to do with each look at the task
	bar     *bar              // shared with the log

	told string // the last hint
}

// watch makes a watcher of the task as it is now.
func (c *command) watch(t client.Task, log, quiet bool) *watcher {
	w := &watcher{c: c, id: t.TaskID, attempt: t.Attempt, quiet: quiet, bar: &bar{out: c.err}}
	w.tell = w.hints
	if log {
		w.log = c.newLogPrinter(logFlags{follow: true})
		w.log.bar = w.bar
	}
	return w
}

// run returns when the task has its verdict and its log is shown to the end.
// Of several attempts the logs come one after the other.
func (w *watcher) run(ctx context.Context) (client.Task, error) {
	defer w.bar.hide()
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	type end struct {
		task client.Task
		err  error
	}
	ended := make(chan end, 1)
	helpers.Go(func() {
		t, err := w.c.client.WaitTask(ctx, w.id)
		ended <- end{t, err}
	})
	logEnded := make(chan error, 1)
	follow := func() {
		attempt := w.attempt
		helpers.Go(func() { logEnded <- w.showLog(ctx, attempt) })
	}
	following := w.log != nil
	if following {
		follow()
	}
	now := client.Task{TaskID: w.id, Attempt: w.attempt}
	over := false
	ticker := time.NewTicker(watchStep)
	defer ticker.Stop()
	for {
		select {
		case e := <-ended:
			if e.err != nil {
				return now, e.err
			}
			now, over = e.task, true
			ticker.Stop()
		case err := <-logEnded:
			if ctx.Err() != nil {
				return now, ctx.Err()
			}
			if following = false; err != nil {
				w.note("the log cannot be shown: " + err.Error())
			}
		case <-ticker.C:
			if !over { // else now is its end
				now = w.look(ctx, now)
			}
		}
		if w.log != nil && !following && w.attempt < now.Attempt {
			w.attempt++
			following = true
			follow()
		}
		if over && !following {
			return now, nil
		}
	}
}

// look tells of the task as it is now; when the master does not answer it is as
// it was before.
func (w *watcher) look(ctx context.Context, before client.Task) client.Task {
	t, err := w.c.client.Task(ctx, w.id)
	if err != nil { // WaitTask is the one to lose patience
		w.unanswered(ctx)
		return before
	}
	w.tell(t)
	w.progress(t)
	return t
}

func (w *watcher) showLog(ctx context.Context, attempt int) error {
	return w.log.show(ctx, w.id, client.LogOptions{Attempt: attempt, Follow: true})
}

// note prints a hint without tearing a log line apart.
func (w *watcher) note(text string) {
	if w.log != nil {
		w.log.note(text)
		return
	}
	w.bar.aside(func() { w.c.err.line(w.c.err.paint(dim, w.c.err.text(text))) })
}

// progress shows how far a pull or an upload is.
func (w *watcher) progress(t client.Task) {
	draw := w.bar.hide
	if p := t.Progress; p != nil && !w.quiet {
		what := "keeping the files"
		if t.State == "assigned" {
			what = "pulling the image"
		}
		draw = func() { w.bar.show(what, p.DoneBytes, p.TotalBytes) }
	}
	if w.log != nil {
		w.log.withBar(draw)
	} else {
		draw()
	}
}

// hints says why the task waits, and that it begins anew, whenever that
// changes.
func (w *watcher) hints(t client.Task) {
	hint := ""
	switch {
	case t.Waiting != nil && t.Waiting.Reason != "":
		hint = "waits: " + waitingInWords(t)
	case t.Progress != nil && t.State == "assigned" && !w.c.err.tty: // where there is no bar
		hint = "pulling the image"
	}
	w.hint(hint)
}

// unanswered says that the master does not answer for the moment.
func (w *watcher) unanswered(ctx context.Context) {
	if ctx.Err() == nil {
		w.hint("the master does not answer; waiting for it")
	}
}

func (w *watcher) hint(text string) {
	if text != w.told && text != "" && !w.quiet {
		w.note(text)
	}
	w.told = text
}
