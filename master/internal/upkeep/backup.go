package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/dirlock"
	"cloudai/master/internal/storage"
)

// State is the store of one data folder, seen from outside of a master.
type State interface {
	// Snapshot writes what the store holds at one moment into another folder,
	// also while a master writes.
	Snapshot(ctx context.Context, into string) error
	// FilesPublished reports whether a task's output files are said to be there
	// now.
	FilesPublished(ctx context.Context, task cluster.TaskID) (bool, error)
	// Open opens the store of any folder, such as a snapshot.
	Open(ctx context.Context, dir string) (db.Portable, error)
	// Check looks through the store of any folder, which nobody has open.
	Check(ctx context.Context, dir string, report func(db.Finding), published Published) error
	// Schema is the newest that Open knows.
	Schema() int
	// FileName is the store's file, all of a closed one.
	FileName() string
}

// Published hears of a task's output files as the store has them.
type Published = func(user cluster.UserID, task cluster.TaskID, files []cluster.File) error

// Folders are where a master keeps its data.
type Folders struct {
	Data  string
	Files string   // of output files
	Keys  []string // names within Data of what makes the master who it is
	State State
}

// logsDir is the folder of logs within Data, and of members.
const logsDir = "logs"

// Where members of an archive go.
const (
	stateMember = "state/"
	keyMember   = "keys/"
	logMember   = logsDir + "/"
	fileMember  = "files/"
)

// BackupConfig says what is backed up and how.
type BackupConfig struct {
	Folders
	Path    string // of the archive
	Program string // version
	Files   bool   // output files and logs too
	Force   bool   // replace an archive that is there
	Damaged bool   // go on when something is damaged, and note it
}

// backup is one backup under way.
type backup struct {
	BackupConfig
	work      string // folder for what is under way, beside the archive
	archive   *archiveWriter
	published []publishedTask
	tasks     []cluster.TaskID
	gone      []cluster.TaskID // whose files were deleted meanwhile
}

type publishedTask struct {
	owner cluster.UserID
	id    cluster.TaskID
	files []cluster.File
}

// Backup writes an archive of what the store holds at one moment, whether or not
// a master runs, with the master's keys and, if asked for, the logs and output
// files that belong to it. The archive appears whole under its name or not at
// all. It gives what the archive says of itself and what a person should know.
func Backup(ctx context.Context, cfg BackupConfig) (about About, notes []string, err error) {
	if err := refuseExisting(cfg); err != nil {
		return about, nil, err
	}
	b := &backup{BackupConfig: cfg}
	release, err := b.takeWork()
	if err != nil {
		return about, nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	out, err := os.OpenFile(filepath.Join(b.work, "archive"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return about, nil, err
	}
	about, err = b.write(ctx, out)
	if err == nil {
		err = out.Sync()
	}
	err = errors.Join(err, out.Close())
	if err != nil {
		return about, nil, err
	}
	if err := refuseExisting(cfg); err != nil { // it took a while
		return about, nil, err
	}
	if err := os.Rename(out.Name(), cfg.Path); err != nil {
		return about, nil, err
	}
	return about, b.archive.manifest.Notes, syncDir(filepath.Dir(cfg.Path))
}

func refuseExisting(cfg BackupConfig) error {
	info, err := os.Lstat(cfg.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is there and is no file", cfg.Path)
	case !cfg.Force:
		return fmt.Errorf("%s: %w; --force replaces it", cfg.Path, fs.ErrExist)
	}
	return nil
}

// workSuffix ends the name of the folder of a backup under way.
const workSuffix = ".cloudai-backup"

// takeWork makes the folder, and removes those that killed backups have left
// beside it.
func (b *backup) takeWork() (release func() error, err error) {
	dir := filepath.Dir(b.Path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), ".") && strings.HasSuffix(e.Name(), workSuffix) {
			if err := removeUnused(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
		}
	}
	b.work = filepath.Join(dir, "."+filepath.Base(b.Path)+workSuffix)
	if err := os.Mkdir(b.work, 0o700); errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("another backup into %s is under way", b.Path)
	} else if err != nil {
		return nil, err
	}
	lock, err := dirlock.Take(b.work)
	if err != nil {
		return nil, err
	}
	return func() error { return errors.Join(os.RemoveAll(b.work), lock.Close()) }, nil
}

// removeUnused removes a folder unless somebody has it locked.
func removeUnused(dir string) error {
	lock, err := dirlock.Take(dir)
	if errors.Is(err, db.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(dir), lock.Close())
}

// write fills the archive. The store's file comes last: what is found about
// output files meanwhile is noted in it.
func (b *backup) write(ctx context.Context, out *os.File) (about About, err error) {
	snapshot := filepath.Join(b.work, "state")
	if err := os.Mkdir(snapshot, 0o700); err != nil {
		return about, err
	}
	about = About{Format: formatVersion, Program: b.Program, Schema: b.State.Schema(), CreatedAt: time.Now().UTC(), Files: b.Files}
	if err := b.State.Snapshot(ctx, snapshot); err != nil {
		return about, fmt.Errorf("snapshot: %w", err)
	}
	copied, err := b.State.Open(ctx, snapshot)
	if err != nil {
		return about, fmt.Errorf("snapshot: %w", err)
	}
	closed := false
	defer func() {
		if !closed {
			err = errors.Join(err, copied.Close())
		}
	}()
	if about.ClusterID, about.Counts, err = b.read(ctx, copied); err != nil {
		return about, err
	}
	if b.archive, err = newArchiveWriter(out, about); err != nil {
		return about, err
	}
	if err := b.addKeys(); err != nil {
		return about, err
	}
	if b.Files {
		for _, step := range []func() error{
			func() error { return b.addFiles(ctx) },
			func() error { return b.addLogs(ctx) },
			func() error { return b.markGone(ctx, copied) },
		} {
			if err := step(); err != nil {
				return about, err
			}
		}
	}
	closed = true
	if err := copied.Close(); err != nil {
		return about, err
	}
	if err := b.check(ctx, snapshot); err != nil {
		return about, err
	}
	if err := b.archive.addFile(stateMember+b.State.FileName(), filepath.Join(snapshot, b.State.FileName())); err != nil {
		return about, err
	}
	return about, b.archive.close()
}

// read counts what the copy holds and notes which tasks have what.
func (b *backup) read(ctx context.Context, s db.Portable) (clusterID string, counts map[string]int, err error) {
	counts = map[string]int{}
	err = s.Dump(ctx, func(r db.Record) error {
		switch {
		case r.Meta != nil && r.Meta.Name == "cluster_id":
			clusterID = r.Meta.Value
		case r.User != nil:
			counts["users"]++
		case r.Token != nil:
			counts["tokens"]++
		case r.Worker != nil:
			counts["workers"]++
		case r.Task != nil:
			counts["tasks"]++
			b.note(r.Task)
		}
		return nil
	})
	return clusterID, counts, err
}

func (b *backup) note(r *db.TaskRecord) {
	if !b.Files {
		return
	}
	t := &r.Task
	b.tasks = append(b.tasks, t.ID)
	if t.Files.Deleted || t.Files.Attempt == 0 {
		return
	}
	i := slices.IndexFunc(r.Files, func(p db.PublishedAt) bool { return p.Attempt == t.Files.Attempt })
	if i >= 0 {
		b.published = append(b.published, publishedTask{t.UserID, t.ID, r.Files[i].Files})
	}
}

// addKeys adds what makes the master who it is. One that its settings give is
// not in the folder.
func (b *backup) addKeys() error {
	for _, name := range b.Keys {
		err := b.archive.addFile(keyMember+name, filepath.Join(b.Data, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// tell stops the backup for something that is damaged, or notes it.
func (b *backup) tell(what string) error {
	if !b.Damaged {
		return fmt.Errorf("%w: %s; `master fsck` looks through all, --damaged takes it as it is", db.ErrDamaged, what)
	}
	b.archive.manifest.Notes = append(b.archive.manifest.Notes, what)
	return nil
}

// addFiles adds the output files of every task, which nobody changes once they
// are published.
func (b *backup) addFiles(ctx context.Context) error {
	for _, task := range b.published {
		home, err := storage.Home(task.owner, task.id)
		if err != nil {
			return err
		}
		for _, f := range task.files {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := b.addOutput(path.Join(home, f.Path), f)
			if errors.Is(err, fs.ErrNotExist) {
				there, asked := b.State.FilesPublished(ctx, task.id)
				if asked != nil {
					return asked
				}
				if !there { // deleted since the snapshot
					b.gone = append(b.gone, task.id)
					break
				}
				err = b.tell(fmt.Sprintf("output file %s of task %s is missing", f.Path, task.id))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// addOutput adds one output file, which is to be what was published.
func (b *backup) addOutput(name string, want cluster.File) (err error) {
	place := filepath.Join(b.BackupConfig.Folders.Files, filepath.FromSlash(name))
	if b.Damaged {
		if err := b.archive.addFile(fileMember+name, place); err != nil {
			return err
		}
		if last := b.archive.manifest.Members[len(b.archive.manifest.Members)-1]; last.SHA256 != want.SHA256 {
			return b.tell(place + " is not what was published")
		}
		return nil
	}
	f, err := os.Open(place)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err := f.Stat(); err != nil || info.Size() != want.Size {
		return errors.Join(err, b.tell(place+" is not as long as what was published"))
	}
	err = b.archive.add(Member{fileMember + name, want.Size, strings.ToLower(want.SHA256)}, f)
	if errors.Is(err, ErrChanged) {
		return b.tell(place + " is not what was published")
	}
	return err
}

// markGone has the copy say what the store says by now of files that were
// deleted since the snapshot.
func (b *backup) markGone(ctx context.Context, s db.Portable) error {
	for _, id := range b.gone {
		t, err := s.Task(ctx, id)
		if err != nil {
			return err
		}
		w := db.Write{Task: t, Expect: t.Version}
		w.Task.Version, w.Task.Files.Deleted = t.Version+1, true
		if err := s.Commit(ctx, []db.Write{w})[0]; err != nil {
			return err
		}
		b.archive.manifest.Notes = append(b.archive.manifest.Notes, fmt.Sprintf("the files of task %s were deleted meanwhile", id))
	}
	return nil
}

// check refuses a copy that holds damaged rows: it would take the place of a
// better one.
func (b *backup) check(ctx context.Context, snapshot string) error {
	var found []db.Finding
	err := b.State.Check(ctx, snapshot, func(f db.Finding) {
		if !f.Leftover {
			found = append(found, f)
		}
	}, nil)
	if err != nil {
		return err
	}
	for _, f := range found {
		if err := b.tell(f.Place + ": " + f.What); err != nil {
			return err
		}
	}
	return nil
}
