package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"cloudai/master/internal/config"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/embedded"
	"cloudai/master/internal/upkeep"
)

// errFound ends fsck with exit code 1 when there is damage.
var errFound = errors.New("the data is damaged; what was backed up is put back by `master restore`")

// upkeepCommands say what each is for. The flags of a folder are those of
// serving.
var upkeepCommands = map[string]struct {
	usage string
	args  int
	run   func(*upkeepCall) error
}{
	"backup": {`master backup [flags] FILE

Writes a backup of the master's state into FILE, also while a master runs: the
embedded store as it is at one moment, and the keys that make the master who it
is. The file is as secret as the data folder. A state in MongoDB is backed up by
mongodump instead.

  --files     output files and logs too
  --force     replace FILE
  --damaged   take what is damaged as it is, instead of refusing
`, 1, (*upkeepCall).backup},
	"restore": {`master restore [flags] FILE

Verifies all of a backup and puts it into the data folder, which must be empty or
not there. Nothing is changed when any of it is wrong.
`, 1, (*upkeepCall).restore},
	"fsck": {`master fsck [flags]

Looks through the data folder of a master that does not run: the store with its
log, every row's checksum and what it refers to, logs, output files. It changes
nothing. Exit code 0: nothing is damaged, 1: something is, 2: it could not look.

  --json      the findings as JSON
`, 0, (*upkeepCall).fsck},
	"migrate": {`master migrate --from URI --to URI

Moves the state from one store to another and compares both row by row. A URI is
embedded:DIR (a data folder) or mongodb://... (the database is that of
--mongodb-database). No master may use either. The target must be empty; one that
an interrupted migration has half filled is cleared and filled anew. The source
stays as it is. Logs, output files and keys stay in the data folder.

  --from URI  where the state is
  --to URI    where it is to be
`, 0, (*upkeepCall).migrate},
}

// upkeepCall is one call of such a command.
type upkeepCall struct {
	ctx    context.Context
	cfg    config.Config
	args   []string
	stdout io.Writer
	stderr io.Writer

	files, force, damaged, json bool
	from, to                    string
}

// runUpkeep carries a command out and gives its exit code.
func runUpkeep(ctx context.Context, name string, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	command := upkeepCommands[name]
	c := &upkeepCall{ctx: ctx, stdout: stdout, stderr: stderr}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	switch name {
	case "backup":
		flags.BoolVar(&c.files, "files", false, "")
		flags.BoolVar(&c.force, "force", false, "")
		flags.BoolVar(&c.damaged, "damaged", false, "")
	case "fsck":
		flags.BoolVar(&c.json, "json", false, "")
	case "migrate":
		flags.StringVar(&c.from, "from", "", "")
		flags.StringVar(&c.to, "to", "", "")
	}
	var err error
	c.cfg, c.args, err = config.LoadCommand(flags, args, getenv, func() {
		fmt.Fprint(stdout, command.usage+"\nThe data folder is MASTER_DATA_DIR (--master-data-dir), with FILES_DIR (--files-dir);\nthese and other settings are those of `master --help`.\n")
	})
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err == nil && len(c.args) != command.args:
		err = fmt.Errorf("%d arguments are given, %d are needed; --help says what it does", len(c.args), command.args)
	}
	if err != nil {
		fmt.Fprintf(stderr, "master %s: %v\n", name, err)
		return 2
	}
	if err := command.run(c); err != nil {
		fmt.Fprintf(stderr, "master %s: %v\n", name, err)
		if name == "fsck" && !errors.Is(err, errFound) {
			return 2
		}
		return 1
	}
	return 0
}

// folders are the data folder's, of an embedded store.
func (c *upkeepCall) folders() (upkeep.Folders, error) {
	if c.cfg.Mongo.URI != "" {
		return upkeep.Folders{}, errors.New("the state is in MongoDB (MONGODB_URI), which is backed up by mongodump, restored by mongorestore " +
			"and checked by its own validate, see database/README.md; `master migrate` moves it into an embedded store")
	}
	return upkeep.Folders{
		Data: c.cfg.DataDir, Files: c.cfg.FilesDir, Keys: []string{"master.pem", "join-token", "jwt-secret"}, State: embedded.Folder(c.cfg.DataDir),
	}, nil
}

func (c *upkeepCall) backup() error {
	folders, err := c.folders()
	if err != nil {
		return err
	}
	giveWay() // to the master, which may be at work
	about, notes, err := upkeep.Backup(c.ctx, upkeep.BackupConfig{
		Folders: folders, Path: c.args[0], Program: version, Files: c.files, Force: c.force, Damaged: c.damaged,
	})
	if err != nil {
		return err
	}
	for _, note := range notes {
		fmt.Fprintln(c.stderr, "note:", note)
	}
	fmt.Fprintf(c.stdout, "%s: %s\n", c.args[0], describe(about))
	return nil
}

func (c *upkeepCall) restore() error {
	folders, err := c.folders()
	if err != nil {
		return err
	}
	about, err := upkeep.Restore(c.ctx, c.args[0], folders)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s: %s, of %s\n", c.cfg.DataDir, describe(about), about.CreatedAt.Format("2006-01-02 15:04:05 UTC"))
	return nil
}

// describe is a backup in one line.
func describe(a upkeep.About) string {
	with := "without logs and output files"
	if a.Files {
		with = "with logs and output files"
	}
	return fmt.Sprintf("cluster %s, %d tasks, %d users, %d workers, %s", a.ClusterID, a.Counts["tasks"], a.Counts["users"], a.Counts["workers"], with)
}

func (c *upkeepCall) fsck() error {
	folders, err := c.folders()
	if err != nil {
		return err
	}
	found := []db.Finding{}
	if err := upkeep.Fsck(c.ctx, folders, func(f db.Finding) { found = append(found, f) }); err != nil {
		return err
	}
	damaged := 0
	for _, f := range found {
		if !f.Leftover {
			damaged++
		}
	}
	if c.json {
		out := json.NewEncoder(c.stdout)
		out.SetIndent("", "  ")
		err = out.Encode(struct {
			Damaged  int          `json:"damaged"`
			Findings []db.Finding `json:"findings"`
		}{damaged, found})
	} else {
		err = printFindings(c.stdout, found, damaged)
	}
	if err == nil && damaged > 0 {
		err = errFound
	}
	return err
}

func printFindings(out io.Writer, found []db.Finding, damaged int) error {
	var b strings.Builder
	for _, f := range found {
		kind := "damage"
		if f.Leftover {
			kind = "leftover"
		}
		place := f.File
		if f.Place != "" {
			place += ", " + f.Place
		}
		fmt.Fprintf(&b, "%-8s  %s\n          %s\n", kind, place, f.What)
	}
	fmt.Fprintf(&b, "%d damaged, %d left over by interrupted work\n", damaged, len(found)-damaged)
	_, err := io.WriteString(out, b.String())
	return err
}
