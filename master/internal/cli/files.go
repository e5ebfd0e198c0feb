package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cloudai/master/client"
)

func (c *command) filesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "files [user]",
		Short: "List the tasks that have left files, and what these take",
		Long: `Lists the tasks that have left files in /output, of everybody or of one user,
by email or id, and what these take. task-files lists the files of a task,
download copies them.`,
		Example:           "files\nfiles bob@example.org",
		Args:              arguments("[user]"),
		ValidArgsFunction: c.completeUser,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.files(cmd.Context(), args)
		},
	}
}

func (c *command) files(ctx context.Context, users []string) error {
	me, err := c.client.Me(ctx)
	if err != nil {
		return err
	}
	var all []client.TaskFiles
	for f, err := range c.client.Files(ctx) {
		if err != nil {
			return err
		}
		all = append(all, f)
	}
	of := me
	if len(users) > 0 {
		if of, err = c.owner(ctx, me, users[0], all); err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(f client.TaskFiles) bool { return f.UserID != of.ID })
	}
	if c.asDocument() {
		return c.document(listOf(all))
	}
	if len(all) == 0 {
		c.err.line(c.err.paint(dim, "no task has left files; what a container puts into /output is kept"))
	} else {
		out := table{head: []string{"TASK", "NAME", "USER", "FILES", "SIZE", "CREATED"}}
		for _, f := range all {
			out.row(cells(f.TaskID, shorten(f.TaskName, longestName), f.UserID, number(f.Files), bytesInWords(f.TotalSize), c.ago(f.CreatedAt))...)
		}
		out.print(c.out, "")
	}
	if of.Files == nil {
		return nil // an account that is gone, or another's
	}
	whose := "your files"
	if of.ID != me.ID {
		whose = "the files of " + users[0]
	}
	c.err.line(c.err.paint(dim, c.err.text(whose+" take "+fileUseInWords(*of.Files))))
	return nil
}

// owner is the user that is meant: the caller, an account, or somebody without
// one who has left files.
func (c *command) owner(ctx context.Context, me client.User, meant string, all []client.TaskFiles) (client.User, error) {
	if meant == me.ID || meant != "" && strings.EqualFold(meant, me.Email) {
		return me, nil
	}
	if me.Role != "admin" {
		return client.User{ID: meant}, nil // whose files are not to be seen
	}
	u, err := userNames().find(c.client.Users(ctx), meant)
	if err != nil && slices.ContainsFunc(all, func(f client.TaskFiles) bool { return f.UserID == meant }) {
		return client.User{ID: meant}, nil
	}
	return u, err
}

// fileUseInWords is what somebody's files take, and may.
func fileUseInWords(u client.FileUse) string {
	if u.Quota == nil {
		return bytesInWords(u.Used)
	}
	return bytesInWords(u.Used) + " of " + bytesInWords(*u.Quota)
}

func (c *command) taskFilesCommand() *cobra.Command {
	remove, yes := false, false
	cmd := &cobra.Command{
		Use:               "task-files <task> [flags]",
		Short:             "List what a task has left in /output, or delete it",
		Example:           "task-files 4f2c\ntask-files 4f2c --delete",
		Args:              arguments("a task"),
		ValidArgsFunction: c.taskIDs(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			if remove {
				return c.deleteFiles(cmd.Context(), args[0], yes)
			}
			return c.taskFiles(cmd.Context(), args[0])
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&remove, "delete", false, "delete the files of a task that is over, after a question")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// deleteFiles makes room.
func (c *command) deleteFiles(ctx context.Context, prefix string, yes bool) error {
	id, err := c.task(ctx, prefix)
	if err != nil {
		return err
	}
	files, err := c.client.TaskFiles(ctx, id)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s of task %s, %s", plural(len(files.Files), "file"), id, bytesInWords(files.TotalSize))
	if !yes {
		if err := c.confirm(ctx, "Delete "+what+"?"); err != nil {
			return err
		}
	}
	if err := c.client.DeleteFiles(ctx, id); err != nil {
		return err
	}
	if c.asDocument() {
		return c.document(files)
	}
	c.err.line("deleted: " + what)
	return nil
}

func (c *command) taskFiles(ctx context.Context, prefix string) error {
	id, err := c.task(ctx, prefix)
	if err != nil {
		return err
	}
	files, err := c.client.TaskFiles(ctx, id)
	if err != nil {
		return err
	}
	if c.asDocument() {
		return c.document(files)
	}
	if len(files.Files) == 0 {
		c.noFiles(ctx, id)
	} else {
		out := table{head: []string{"FILE", "SIZE", "TYPE", "SHA-256"}}
		for _, f := range files.Files {
			out.row(cells(f.Path, bytesInWords(f.Size), f.ContentType, f.SHA256)...)
		}
		out.print(c.out, "")
	}
	c.skipped(files)
	return nil
}

// noFiles says why there are none.
func (c *command) noFiles(ctx context.Context, id string) {
	text := "task " + id + " has left no files"
	if t, err := c.client.Task(ctx, id); err == nil && !t.Terminal() {
		text = "task " + id + " is " + t.Status + "; its files come when it is over"
	}
	c.err.line(c.err.paint(dim, text))
}

func (c *command) skipped(files client.Files) {
	for _, s := range files.Skipped {
		c.err.linef("not kept: %s: %s", c.err.cell(s.Path), c.err.cell(s.Reason))
	}
}

func (c *command) downloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:        "download <task> [dir]",
		SuggestFor: []string{"get", "fetch", "copy"},
		Short:      "Copy what a task has left into a folder",
		Long: `Copies the files into the folder, which is made when it is not there; without
one into a folder with the task's id as name. Each file is checked against its
SHA-256; one that is there already under the same name is replaced.`,
		Example:           "download 4f2c ./results",
		Args:              arguments("a task", "[dir]"),
		ValidArgsFunction: c.taskIDs(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.download(cmd.Context(), args)
		},
	}
}

// downloaded is the document of download.
type downloaded struct {
	Dir string `json:"dir"`
	client.Files
}

func (c *command) download(ctx context.Context, args []string) error {
	id, err := c.task(ctx, args[0])
	if err != nil {
		return err
	}
	dir := id
	if len(args) > 1 {
		dir = args[1]
	}
	list, err := c.client.TaskFiles(ctx, id)
	if err != nil {
		return err
	}
	if len(list.Files) == 0 && !c.asDocument() {
		c.noFiles(ctx, id)
		c.skipped(list)
		return nil
	}
	files, err := c.fetch(ctx, id, dir, list.TotalSize)
	if err != nil {
		return fmt.Errorf("download into %s: %w", dir, err)
	}
	if c.asDocument() {
		return c.document(downloaded{dir, files})
	}
	verb := "are"
	if len(files.Files) == 1 {
		verb = "is"
	}
	c.err.linef("%s of %s %s in %s", plural(len(files.Files), "file"), bytesInWords(files.TotalSize), verb, dir)
	c.skipped(files)
	return nil
}

// barStep is how often the bar of a download moves.
const barStep = 100 * time.Millisecond

// fetch downloads with a bar for all files together.
func (c *command) fetch(ctx context.Context, id, dir string, total int64) (client.Files, error) {
	b := &bar{out: c.err}
	defer b.hide()
	arrived, drawn := int64(0), time.Time{}
	return c.client.Download(ctx, id, dir, client.DownloadOptions{
		Arrived: func(n int64) {
			if arrived += n; time.Since(drawn) >= barStep {
				drawn = time.Now()
				b.show("downloading", min(arrived, total), total)
			}
		},
		Done: func(f client.File) {
			if !c.asDocument() {
				b.aside(func() { c.out.linef("%s  %s", c.out.cell(f.Path), bytesInWords(f.Size)) })
			}
		},
	})
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}
