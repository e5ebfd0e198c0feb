//go:build engine

package e2e

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cloudai/master/client"
	"cloudai/proto/pb"
)

// hostileOutput fills /output with everything that is not a plain file, and
// with plain ones whose names are not plain.
const hostileOutput = `
cd /output && mkdir d e
echo plain >d/plain.txt; echo up >..hidden; echo dash >-rf
printf 1 >"$(printf 'new\nline')"; printf 2 >"$(printf 'bad\377name')"; printf 3 >"$(printf 'esc\033]0;x\a')"; printf 4 >'a\..\b'
printf 5 >' '; printf 6 >'%2e%2e%2fx'; printf 7 >"$(head -c 255 /dev/zero | tr '\0' n)"
ln -s /etc/passwd absolute; ln -s ../../../../../../etc/passwd up; ln -s loop loop; ln -s . e/self; ln -s d folder; ln -s nothing dangling
ln d/plain.txt e/hard; mkfifo fifo; truncate -s 8388608 sparse; : >empty
i=0; p=.; while [ $i -lt 70 ]; do p=$p/n; i=$((i+1)); done; mkdir -p $p; echo lost >$p/lost
mkdir locked; echo in >locked/in; chmod 0 locked/in locked`

// F21: an output full of traps. Nothing gets out of the task's folder; what is
// left out is listed, in letters that harm nobody, with the reason; the rest
// comes back exactly, by each way to download it.
func TestF21HostileOutputs(t *testing.T) {
	w, _ := newCluster(t, "8")
	r := w.gated(hostileOutput+"\necho ready", "rm gate")
	r.StorageRequired = ptr[int64](100)
	id := w.submit(t, r)
	sparse := w.small("truncate -s 209715200 /output/sparse; echo done")
	sparse.StorageRequired = ptr[int64](100)
	tooBig := w.submit(t, sparse)
	w.becomes(t, id, "running")
	w.logHas(t, id, "ready\n")
	device := w.plant(t, id)
	w.open(t, w.containerOf(t, id))
	task := w.succeeded(t, id)

	list, err := w.API().TaskFiles(t.Context(), id)
	must(t, err)
	want := map[string]string{
		"d/plain.txt": "plain\n", "e/hard": "plain\n", "..hidden": "up\n", "-rf": "dash\n", "new\nline": "1", "esc\x1b]0;x\a": "3", `a\..\b`: "4",
		" ": "5", "%2e%2e%2fx": "6", strings.Repeat("n", 255): "7", "sparse": strings.Repeat("\x00", 8<<20), "empty": "", "locked/in": "in\n",
	}
	w.exactly(t, id, list, want)
	reasons := map[string]string{}
	for _, s := range list.Skipped {
		reasons[s.Path] = s.Reason
	}
	for path, reason := range map[string]string{
		"absolute": "symbolic link", "up": "symbolic link", "loop": "symbolic link", "e/self": "symbolic link", "folder": "symbolic link",
		"dangling": "symbolic link", "fifo": "named pipe", `bad\xffname`: "the name is not UTF-8", "device": "device", "socket": "socket",
		strings.TrimSuffix(strings.Repeat("n/", 65), "/"): "more than 64 folders deep",
	} {
		if (path == "device" || path == "socket") && !device {
			continue
		}
		if reasons[path] != reason {
			t.Errorf("%.80s: %q, want %q", path, reasons[path], reason)
		}
	}
	if task.Usage == nil || task.Usage.OutputBytes < 8<<20 {
		t.Errorf("a sparse file counts by what it seems to have: %+v", task.Usage)
	}
	if task := w.failed(t, tooBig, "storage"); !strings.Contains(task.Message, "100 MiB") {
		t.Errorf("a sparse file beyond the limit: %s", describe(task))
	}
	w.staysInside(t, task.UserID, id, tooBig)
}

// plant puts into the output what a container may not make; false where the
// test may not either.
func (w *world) plant(t *testing.T, task string) bool {
	t.Helper()
	c, err := w.engine.ContainerInspect(t.Context(), w.containerOf(t, task))
	must(t, err)
	for _, m := range c.Mounts {
		if m.Destination != "/output" {
			continue
		}
		if err := syscall.Mknod(filepath.Join(m.Source, "device"), syscall.S_IFBLK|0o666, 7<<8); err != nil {
			t.Logf("no device can be made here: %v", err)
			return false
		}
		must(t, syscall.Mknod(filepath.Join(m.Source, "socket"), syscall.S_IFSOCK|0o666, 0))
		return true
	}
	return false
}

// exactly checks that these are the files, by the list and by every way to
// download them.
func (w *world) exactly(t *testing.T, id string, list client.Files, want map[string]string) {
	t.Helper()
	listed := map[string]client.File{}
	for _, f := range list.Files {
		listed[f.Path] = f
	}
	ways := map[string]map[string]string{"tar": w.tarOf(t, id), "zip": w.zipOf(t, id), "single": {}}
	for path := range want {
		ways["single"][path] = w.output(t, id, strings.ReplaceAll(url.PathEscape(path), "%2F", "/"))
	}
	for path, content := range want {
		sum := sha256.Sum256([]byte(content))
		if f := listed[path]; f.Size != int64(len(content)) || f.SHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%.60q is listed as %+v", path, f)
		}
		for way, files := range ways {
			if got, ok := files[path]; !ok || got != content {
				t.Errorf("%.60q by %s: there %v, %d bytes of %d", path, way, ok, len(got), len(content))
			}
		}
	}
	for way, files := range ways {
		for path := range files {
			if _, ok := want[path]; !ok {
				t.Errorf("%.60q by %s is too many", path, way)
			}
		}
	}
	if len(listed) != len(want) {
		t.Errorf("%d files are listed, %d expected", len(listed), len(want))
	}
}

func (w *world) tarOf(t *testing.T, id string) map[string]string {
	t.Helper()
	files := map[string]string{}
	unzipped, err := gzip.NewReader(strings.NewReader(w.read(t, "/api/files/"+id+"/download")))
	must(t, err)
	for archive := tar.NewReader(unzipped); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		must(t, err)
		if head.Typeflag == tar.TypeDir {
			continue
		}
		if head.Typeflag != tar.TypeReg {
			t.Errorf("%q is no file in the archive, but %c", head.Name, head.Typeflag)
		}
		content, err := io.ReadAll(archive)
		must(t, err)
		files[inArchive(head.Name, id)] = string(content)
	}
}

func (w *world) zipOf(t *testing.T, id string) map[string]string {
	t.Helper()
	files := map[string]string{}
	whole := w.read(t, "/api/files/"+id+"/download?format=zip")
	archive, err := zip.NewReader(strings.NewReader(whole), int64(len(whole)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // a name with a backslash
		t.Fatal(err)
	}
	for _, f := range archive.File {
		if f.FileInfo().IsDir() {
			continue
		}
		content, err := f.Open()
		must(t, err)
		var all bytes.Buffer
		_, err = all.ReadFrom(content)
		must(t, errors.Join(err, content.Close()))
		files[inArchive(f.Name, id)] = all.String()
	}
	return files
}

// inArchive is a path without a folder that the archive may put around all.
func inArchive(name, id string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "./"), id+"/")
}

// staysInside checks that the master's folder of files holds these tasks' and
// nothing else, and only plain files and folders.
func (w *world) staysInside(t *testing.T, user string, tasks ...string) {
	t.Helper()
	must(t, filepath.WalkDir(w.FilesDir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, _ := filepath.Rel(w.FilesDir(), path)
		parts := strings.Split(rest, "/")
		inside := rest == "." || parts[0] == ".staging" || parts[0] == ".trash" || parts[0] == user && (len(parts) == 1 || slices.Contains(tasks, parts[1]))
		if !inside || !d.IsDir() && !d.Type().IsRegular() {
			t.Errorf("%s is in the folder of files: %v", rest, d.Type())
		}
		return nil
	}))
}

// F21: a hundred thousand files, each as it was.
func TestF21AHundredThousandFiles(t *testing.T) {
	t.Parallel()                                            // with those that mostly wait
	memory, err := os.MkdirTemp("/dev/shm", "cloudai-f21-") // a disk takes its time to make and forget so many
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(memory)) })
	w := newWorld(t, "FILES_DIR="+filepath.Join(memory, "files"))
	w.fakeWorker(t, "w1", "WORKER_DATA_DIR="+filepath.Join(memory, "w1"))
	before := resident(t, w.Master)
	const n, each = 100_000, 20
	r := w.small("")
	r.Env = map[string]string{"FAKE_OUTPUT_FILES": fmt.Sprint(n), "FAKE_OUTPUT_BYTES": fmt.Sprint(n * each)}
	id := w.submit(t, r)
	w.endedLong(t, id)
	task := w.succeeded(t, id)
	if task.Usage == nil || task.Usage.OutputBytes != n*each {
		t.Errorf("usage %+v", task.Usage)
	}
	list, err := w.API().TaskFiles(t.Context(), id)
	must(t, err)
	files := w.tarOf(t, id)
	if len(list.Files) != n || len(files) != n || len(list.Skipped) != 0 {
		t.Fatalf("%d files are listed, %d in the archive, %d left out", len(list.Files), len(files), len(list.Skipped))
	}
	for _, f := range list.Files {
		if sum := sha256.Sum256([]byte(files[f.Path])); f.SHA256 != hex.EncodeToString(sum[:]) || f.Size != int64(len(files[f.Path])) {
			t.Fatalf("%+v has %q in the archive", f, files[f.Path])
		}
	}
	t.Logf("took %s; the master grew by %d MiB", task.FinishedAt.Sub(task.CreatedAt), resident(t, w.Master)-before)
}

// F21: a hostile worker names paths that no container can make, straight to the
// master. Each is refused by name, nothing lands outside the task's folder, and
// a result that lists such a file has none.
func TestF21HostileWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "HEARTBEAT_INTERVAL=10s", "HEARTBEAT_TIMEOUT=90s")
	w.image = "busybox"
	s := w.scripted(t, "mallory")
	id := w.submit(t, w.small("true"))
	task := s.take(t, id)
	paths := []string{
		"../x", "../../../../../../tmp/x", "/etc/cron.d/x", "a/../../x", "..", ".", "", "a//b", "a/./b", "a/", "a\x00b",
		strings.Repeat("a", 256), strings.Repeat("a/", 300) + "x", strings.Repeat("abcdefg/", 600) + "x",
		"../" + id + "/x", "../../local/" + id + "/x",
	}
	for _, path := range paths {
		err := s.upload(t.Context(), s.chunk(task, path, "planted"))
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(status.Convert(err).Message(), "path") {
			t.Errorf("%.60q: %v", path, err)
		}
	}
	for name, c := range map[string]*pb.FileChunk{
		"a hole":          {FilePath: "x", Offset: 1 << 40},
		"before it":       {FilePath: "x", Offset: -1},
		"no such kind":    {FilePath: "x", Kind: 99},
		"another's files": {FilePath: "x", UserId: "somebody"},
	} {
		whole := s.chunk(task, c.GetFilePath(), "planted")
		whole.Offset, whole.Kind = c.GetOffset(), c.GetKind()
		if c.GetUserId() != "" {
			whole.UserId = c.GetUserId()
		}
		if err := s.upload(t.Context(), whole); err == nil || status.Code(err) == codes.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := s.chunk(task, "good", "good")
	good.Sha256 = fmt.Sprintf("%x", sha256.Sum256(good.GetData()))
	must(t, s.upload(t.Context(), good))
	result := s.result(task, &pb.OutputFile{Path: "good", Size: 4, Sha256: good.GetSha256()}, &pb.OutputFile{Path: "../../x", Size: 4, Sha256: good.GetSha256()})
	if _, err := s.master.ReportTaskCompletion(t.Context(), result); err != nil {
		t.Fatal(err)
	}
	s.beat(t)
	done := w.ended(t, id)
	if done.Failure != "upload" || !strings.Contains(done.Message, "../../x") {
		t.Errorf("a result with a path that leads out: %s", describe(done))
	}
	if list, err := w.API().TaskFiles(t.Context(), id); err != nil || len(list.Files) != 0 {
		t.Errorf("%+v, %v", list.Files, err)
	}
	w.staysInside(t, done.UserID)
	for _, outside := range []string{"x", "master/x", "tmp/x"} {
		if _, err := os.Lstat(filepath.Join(filepath.Dir(w.MasterDir()), outside)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", outside, err)
		}
	}
	await(t, verdict, func(context.Context) error {
		left, err := os.ReadDir(filepath.Join(w.FilesDir(), ".staging"))
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(left) == 0 {
			return nil
		}
		return errors.Join(err, fmt.Errorf("%d attempts are still staged", len(left)))
	})
}
