package upkeep

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/embedded"
	"cloudai/master/internal/db/storetest"
	"cloudai/master/internal/logs"
)

func TestMain(m *testing.M) {
	if done, err := beKilled(); done {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// foldersIn are those of a master that keeps all in one folder.
func foldersIn(dir string) Folders {
	return Folders{Data: dir, Files: filepath.Join(dir, "files"), Keys: []string{"master.pem", "join-token", "jwt-secret"}, State: embedded.Folder(dir)}
}

// outputs are the files of each task that has any.
var outputs = map[string]string{"a b/ü": "some bytes", "b": strings.Repeat("more\n", 4_000), "empty": ""}

// makeMaster fills a folder as a master would: a store with something of
// everything, logs, output files, keys.
func makeMaster(t *testing.T, dir string, tasks int) Folders {
	t.Helper()
	of := foldersIn(dir)
	s, err := of.State.Open(t.Context(), dir)
	if err == nil {
		err = storetest.Populate(t.Context(), s, tasks)
	}
	if err != nil {
		t.Fatal(err)
	}
	k, err := logs.New(logs.Config{Dir: filepath.Join(dir, "logs")})
	if err != nil {
		t.Fatal(err)
	}
	var writes []db.Write
	err = s.Dump(t.Context(), func(r db.Record) error {
		if r.Task == nil {
			return nil
		}
		w := db.Write{Task: r.Task.Task, Expect: r.Task.Task.Version}
		w.Task.Version++
		w.Task.Files = cluster.FilesSummary{}
		if n := len(writes); n%3 == 1 && !strings.Contains(string(w.Task.UserID), " ") {
			w.Files, w.Task.Files = putOutputs(t, of.Files, w.Task)
		}
		writes = append(writes, w)
		line := fmt.Sprintf("log of %s\n", w.Task.ID)
		return k.Append(cluster.AttemptRef{TaskID: w.Task.ID, Attempt: 1, Lease: "l"},
			[]cluster.LogChunk{{Stream: cluster.StreamStdout, Time: time.Unix(1, 0), Data: []byte(line)}})
	})
	if err == nil {
		err = errors.Join(s.Commit(t.Context(), writes)...)
	}
	for _, key := range of.Keys {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, key), []byte("secret "+key), 0o600))
	}
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return of
}

func putOutputs(t *testing.T, dir string, task cluster.Task) (rows []cluster.File, summary cluster.FilesSummary) {
	t.Helper()
	for name, data := range outputs {
		place := filepath.Join(dir, string(task.UserID), string(task.ID), name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(place), 0o700), os.WriteFile(place, []byte(data), 0o600)); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(data))
		rows = append(rows, cluster.File{Path: name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
		summary.TotalSize += int64(len(data))
	}
	summary.Attempt, summary.Count = 1, len(rows)
	return rows, summary
}

// content is all that a store holds and all files beside it.
func content(t *testing.T, of Folders) map[string]any {
	t.Helper()
	out := map[string]any{}
	s, err := of.State.Open(t.Context(), of.Data)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = errors.Join(s.Dump(t.Context(), func(r db.Record) error {
		out[fmt.Sprint("record ", n)] = r
		n++
		return nil
	}), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"keys": of.Data, "logs": filepath.Join(of.Data, "logs"), "files": of.Files} {
		for path, data := range tree(t, dir) {
			if name != "keys" || !strings.Contains(path, "/") && !strings.HasPrefix(path, "cloudai.db") && path != "master.lock" {
				out[name+" "+path] = data
			}
		}
	}
	return out
}

func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[rel] = string(b)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}

func mustBackup(t *testing.T, cfg BackupConfig) About {
	t.Helper()
	about, _, err := Backup(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return about
}

func fsck(t *testing.T, of Folders) (damage []string) {
	t.Helper()
	err := Fsck(t.Context(), of, func(f db.Finding) {
		if !f.Leftover {
			damage = append(damage, f.File+" "+f.Place+" "+f.What)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return damage
}

func TestBackupAndRestore(t *testing.T) {
	dir := t.TempDir()
	of := makeMaster(t, filepath.Join(dir, "data"), 40)
	want := content(t, of)
	path := filepath.Join(dir, "backup")
	about := mustBackup(t, BackupConfig{Folders: of, Path: path, Program: "test", Files: true})
	if about.ClusterID == "" || about.Counts["tasks"] != 40 || about.Counts["users"] != 3 {
		t.Errorf("about %+v", about)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the archive: %v, %v", info, err)
	}
	for _, apart := range []bool{false, true} {
		to := foldersIn(filepath.Join(dir, fmt.Sprint("back-", apart)))
		if apart {
			to.Files = filepath.Join(dir, "elsewhere", "files")
		}
		got, err := Restore(t.Context(), path, to)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(about, got); diff != "" {
			t.Errorf("about:\n%s", diff)
		}
		if diff := cmp.Diff(want, content(t, to)); diff != "" {
			t.Errorf("apart %v (-master +restored):\n%s", apart, diff)
		}
		if damage := fsck(t, to); damage != nil {
			t.Errorf("damage in what was restored: %q", damage)
		}
	}
	if entries, _ := filepath.Glob(filepath.Join(dir, "*"+restoring)); len(entries) > 0 {
		t.Errorf("left over: %q", entries)
	}
}

// Without files only the state and the keys are in it.
func TestBackupOfStateOnly(t *testing.T) {
	dir := t.TempDir()
	of := makeMaster(t, filepath.Join(dir, "data"), 4)
	path := filepath.Join(dir, "backup")
	mustBackup(t, BackupConfig{Folders: of, Path: path})
	to := foldersIn(filepath.Join(dir, "back"))
	if _, err := Restore(t.Context(), path, to); err != nil {
		t.Fatal(err)
	}
	for name := range tree(t, to.Data) {
		if strings.Contains(name, "/") {
			t.Errorf("%s was restored", name)
		}
	}
}

func TestBackupRefuses(t *testing.T) {
	dir := t.TempDir()
	of := makeMaster(t, filepath.Join(dir, "data"), 4)
	cfg := BackupConfig{Folders: of, Path: filepath.Join(dir, "backup"), Files: true}
	mustBackup(t, cfg)
	if _, _, err := Backup(t.Context(), cfg); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("over an archive: %v", err)
	}
	cfg.Force = true
	mustBackup(t, cfg)
	var one string
	for name := range tree(t, of.Files) {
		one = filepath.Join(of.Files, name)
		if strings.HasSuffix(one, "/b") {
			break
		}
	}
	if err := os.WriteFile(one, bytes.Repeat([]byte("x"), len(tree(t, filepath.Dir(one))[filepath.Base(one)])), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Backup(t.Context(), cfg); !strings.HasSuffix(one, "empty") && (!errors.Is(err, db.ErrDamaged) || !strings.Contains(err.Error(), one)) {
		t.Errorf("a changed output file: %v", err)
	}
	if after, err := os.ReadFile(cfg.Path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a refused backup changed the archive (%v)", err)
	}
	cfg.Damaged = true
	if _, notes, err := Backup(t.Context(), cfg); err != nil || len(notes) != 1 || !strings.Contains(notes[0], one) {
		t.Errorf("taken as it is: %q, %v", notes, err)
	}
	if entries, _ := filepath.Glob(filepath.Join(dir, ".*"+workSuffix)); len(entries) > 0 {
		t.Errorf("left over: %q", entries)
	}
}

// Files that are deleted while the backup runs are deleted in it too.
func TestBackupWhileFilesAreDeleted(t *testing.T) {
	dir := t.TempDir()
	of := makeMaster(t, filepath.Join(dir, "data"), 30)
	var gone cluster.TaskID
	of.State = deleting{of.State, func(s db.Store) {
		tasks, _, err := s.ListFiles(t.Context(), "", cluster.Page{Limit: 100})
		if err != nil || len(tasks) == 0 {
			t.Fatal(tasks, err)
		}
		task := tasks[0]
		gone = task.ID
		w := db.Write{Task: task, Expect: task.Version}
		w.Task.Version++
		w.Task.Files.Deleted = true
		err = errors.Join(append(s.Commit(t.Context(), []db.Write{w}), os.RemoveAll(filepath.Join(of.Files, string(task.UserID), string(task.ID))))...)
		if err != nil {
			t.Fatal(err)
		}
	}}
	path := filepath.Join(dir, "backup")
	_, notes, err := Backup(t.Context(), BackupConfig{Folders: of, Path: path, Files: true})
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], string(gone)) {
		t.Fatalf("notes %q, %v", notes, err)
	}
	to := foldersIn(filepath.Join(dir, "back"))
	if _, err := Restore(t.Context(), path, to); err != nil {
		t.Fatal(err)
	}
	if damage := fsck(t, to); damage != nil {
		t.Errorf("damage: %q", damage)
	}
}

// deleting does something to the store right after its snapshot.
type deleting struct {
	State
	do func(db.Store)
}

func (d deleting) Snapshot(ctx context.Context, into string) error {
	if err := d.State.Snapshot(ctx, into); err != nil {
		return err
	}
	s, err := d.State.Open(ctx, string(d.State.(embedded.Folder)))
	if err != nil {
		return err
	}
	d.do(s)
	return s.Close()
}

func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	of := makeMaster(t, filepath.Join(dir, "data"), 4)
	path := filepath.Join(dir, "backup")
	mustBackup(t, BackupConfig{Folders: of, Path: path})
	if _, err := Restore(t.Context(), path, of); !errors.Is(err, db.ErrNotEmpty) || !strings.Contains(err.Error(), of.Data) {
		t.Errorf("into a folder with a store: %v", err)
	}
	s, err := of.State.Open(t.Context(), of.Data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), path, of); !errors.Is(err, db.ErrLocked) || !strings.Contains(err.Error(), of.Data) {
		t.Errorf("into a folder in use: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	to := foldersIn(filepath.Join(dir, "newer"))
	to.State = older{to.State}
	if _, err := Restore(t.Context(), path, to); !errors.Is(err, db.ErrTooNew) {
		t.Errorf("of a newer schema: %v", err)
	}
	if _, err := os.Stat(to.Data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused restore made the folder: %v", err)
	}
}

// older is the store of an earlier version of the program.
type older struct{ State }

func (older) Schema() int { return 1 }

// Wherever an archive is cut or altered, it is refused with the member and the
// place, and nothing is there afterwards; or what is restored is what was backed
// up.
func TestDamagedArchive(t *testing.T) {
	const seed = 20261129
	r := rand.New(rand.NewPCG(seed, 6))
	dir := t.TempDir()
	of := makeMaster(t, filepath.Join(dir, "data"), 10)
	want := content(t, of)
	path := filepath.Join(dir, "backup")
	mustBackup(t, BackupConfig{Folders: of, Path: path, Files: true})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	harmless := 0
	for n := range damages {
		at, bad := r.IntN(len(whole)), bytes.Clone(whole)
		what := fmt.Sprintf("seed %d, %d of %d, kind %d", seed, at, len(whole), n%3)
		switch n % 3 {
		case 0:
			bad = bad[:at]
		case 1:
			bad[at] ^= 1 << r.IntN(8)
		case 2:
			bad = append(bad, whole[at:]...)
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		to := foldersIn(filepath.Join(dir, fmt.Sprint("to-", n)))
		_, err := Restore(t.Context(), path, to)
		if err == nil {
			harmless++ // such as the time in the head of gzip
			if diff := cmp.Diff(want, content(t, to)); diff != "" || n%3 != 1 {
				t.Errorf("%s: restored, and different:\n%s", what, diff)
			}
			continue
		}
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "byte ") {
			t.Errorf("%s: %v", what, err)
		}
		if left, _ := filepath.Glob(to.Data + "*"); len(left) > 0 {
			t.Errorf("%s: left %q", what, left)
		}
	}
	t.Logf("%d of 45 changes made no difference", harmless)
}

// Only the archive's own sum covers a name in an extended header, and that comes
// last: what an altered name is refused for before is called damage, with its place.
func TestAlteredName(t *testing.T) {
	dir := t.TempDir()
	of := makeMaster(t, filepath.Join(dir, "data"), 10)
	path := filepath.Join(dir, "backup")
	mustBackup(t, BackupConfig{Folders: of, Path: path, Files: true})
	archive, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	_, behind, found := bytes.Cut(whole, []byte("path=files/"))
	name, _, ended := bytes.Cut(behind, []byte("/a b/ü\n"))
	if !found || !ended {
		t.Fatal("there is no name in an extended header")
	}
	record := "path=files/" + string(name) + "/a b/ü\n"
	for what, altered := range map[string]string{
		"of no member":     strings.Replace(record, "files", "filez", 1),
		"below the file b": strings.Replace(record, "a b/ü", "b/2345", 1),
	} {
		var bad bytes.Buffer
		bad.Write(archive[:10]) // the head of gzip
		body, err := flate.NewWriter(&bad, flate.BestSpeed)
		if err == nil {
			_, err = body.Write(bytes.Replace(whole, []byte(record), []byte(altered), 1))
		}
		if err = errors.Join(err, body.Close()); err != nil {
			t.Fatal(err)
		}
		bad.Write(archive[len(archive)-8:]) // the sum and the length
		if err := os.WriteFile(path, bad.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		to := foldersIn(filepath.Join(dir, "to"))
		if _, err := Restore(t.Context(), path, to); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "byte ") {
			t.Errorf("%s: %v", what, err)
		}
		if left, _ := filepath.Glob(to.Data + "*"); len(left) > 0 {
			t.Errorf("%s: left %q", what, left)
		}
	}
}

// An archive that somebody made by hand reaches no folder but those of its kind.
func TestNamesThatLeadOut(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"files/../x", "logs/../x", "files/a/../../x", "../x", "/x", "files//x", "./files/x"} {
		var b bytes.Buffer
		archive, err := newArchiveWriter(&b, About{Format: formatVersion})
		if err == nil {
			err = archive.add(Member{Name: name, SHA256: fmt.Sprintf("%x", sha256.Sum256(nil))}, strings.NewReader(""))
		}
		if err = errors.Join(err, archive.close()); err != nil {
			t.Fatal(err)
		}
		path, under := filepath.Join(dir, fmt.Sprint("backup", i)), filepath.Join(dir, fmt.Sprint("to", i))
		if err := errors.Join(os.WriteFile(path, b.Bytes(), 0o600), os.Mkdir(under, 0o700)); err != nil {
			t.Fatal(err)
		}
		to := foldersIn(filepath.Join(under, "data"))
		to.Files = filepath.Join(under, "apart", "files")
		if _, err := Restore(t.Context(), path, to); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "no member of a backup") {
			t.Errorf("%s: %v", name, err)
		}
		if left := tree(t, under); len(left) > 0 {
			t.Errorf("%s: left %q", name, left)
		}
	}
}
