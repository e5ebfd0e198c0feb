package http

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	nethttp "net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
)

// publish puts files on the disk where storage has them, and into the core.
func (e *edge) publish(t testing.TB, user cluster.UserID, id cluster.TaskID, contents map[string]string) {
	t.Helper()
	var rows []cluster.File
	for name, content := range contents {
		path := filepath.Join(e.filesDir, string(user), string(id), name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(content), 0o644))
		sum := sha256.Sum256([]byte(content))
		rows = append(rows, cluster.File{Path: name, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), ContentType: "text/html"})
	}
	must(t, e.core.Publish(id, rows...))
}

func TestFiles(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{Name: "n"})
	odd := "dir/a b%2F?#ü\"'.html"
	e.publish(t, "ann", id, map[string]string{"out.txt": "hello world", odd: "<script>"})

	list := decode[client.List[client.TaskFiles]](t, e.get(t, "/api/files"), 200)
	if len(list.Items) != 1 || list.Items[0].Files != 2 || list.Items[0].TotalSize != 19 || list.Items[0].TaskName != "n" {
		t.Errorf("%+v", list)
	}
	if others := decode[client.List[client.TaskFiles]](t, e.get(t, "/api/files", client.UserHeader+": bob"), 200); len(others.Items) != 0 {
		t.Errorf("bob sees %+v", others)
	}
	files := decode[client.Files](t, e.get(t, "/api/files/task0001"), 200)
	if len(files.Files) != 2 || files.TotalSize != 19 || files.Skipped == nil {
		t.Errorf("%+v", files)
	}

	w := e.get(t, "/api/files/task0001/content/dir/"+url.PathEscape(filepath.Base(odd)))
	h := w.Header()
	if w.Code != 200 || w.Body.String() != "<script>" || h.Get("X-Content-Type-Options") != "nosniff" ||
		h.Get("Content-Type") != "text/html" || h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" ||
		h.Get("Content-Disposition") == "" || h.Get("Content-Disposition")[:10] != "attachment" {
		t.Errorf("%d %q %v", w.Code, w.Body, h)
	}
	w = e.get(t, "/api/files/task0001/content/out.txt", "Range: bytes=6-")
	if w.Code != 206 || w.Body.String() != "world" {
		t.Errorf("range: %d %q", w.Code, w.Body)
	}
	if w = e.get(t, "/api/files/task0001/content/out.txt", "If-None-Match: "+w.Header().Get("ETag")); w.Code != 304 {
		t.Errorf("etag: %d", w.Code)
	}
	for _, part := range []string{"bytes=99-", "bytes=3-2", "bytes=x", "bytes=-"} {
		w := e.get(t, "/api/files/task0001/content/out.txt", "Range: "+part)
		wantProblem(t, w, 416, "Range")
		if w.Header().Get("Content-Disposition") != "" {
			t.Errorf("%s: a problem is no file: %v", part, w.Header())
		}
	}
	if w = e.get(t, "/api/files/task0001/content/out.txt", "Range: lines=1-2"); w.Code != 200 || w.Body.String() != "hello world" {
		t.Errorf("a range of another unit: %d %q", w.Code, w.Body)
	}
	wantProblem(t, e.get(t, "/api/files/task0001/content/out.txt", `If-Match: "x"`), 412)
	for _, path := range []string{"none", "dir", "%2e%2e/%2e%2e/ann/task0001/out.txt", "..%2f..%2fsecret", "%2fetc%2fpasswd", "out.txt%00"} {
		wantProblem(t, e.get(t, "/api/files/task0001/content/"+path), 404)
	}
}

func TestArchives(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{})
	e.publish(t, "ann", id, map[string]string{"dir/out.txt": "hello"})

	w := e.get(t, "/api/files/task0001/download")
	if w.Header().Get("Content-Disposition") != `attachment; filename=task0001.tar.gz` {
		t.Errorf("%v", w.Header())
	}
	z, err := gzip.NewReader(w.Body)
	must(t, err)
	archive := tar.NewReader(z)
	header, err := archive.Next()
	must(t, err)
	content, err := io.ReadAll(archive)
	if err != nil || header.Name != "dir/out.txt" || string(content) != "hello" {
		t.Errorf("%+v %q %v", header, content, err)
	}
	if _, err := archive.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v", err)
	}

	w = e.get(t, "/api/files/task0001/download?format=zip")
	zipped, err := zip.NewReader(bytes.NewReader(w.Body.Bytes()), int64(w.Body.Len()))
	must(t, err)
	if len(zipped.File) != 1 || zipped.File[0].Name != "dir/out.txt" || w.Header().Get("Content-Type") != "application/zip" {
		t.Errorf("%+v %v", zipped.File, w.Header())
	}

	// What is gone from the disk breaks the archive off.
	must(t, os.Remove(filepath.Join(e.filesDir, "ann", string(id), "dir", "out.txt")))
	resp, err := nethttp.Get(e.serve(t) + "/api/files/task0001/download")
	if err != nil {
		return // before the first byte
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("an archive without its file ends cleanly")
	}
}

func TestDeleteFiles(t *testing.T) {
	e := newEdge(t)
	id := e.submit(t, "ann", cluster.TaskRequest{})
	wantProblem(t, e.ask(t, doorSocket, "DELETE", "/api/files/task0001", ""), 409)
	must(t, e.core.Run(id, "w1"))
	must(t, e.core.Finish(id, ptr(0), "", ""))
	e.publish(t, "ann", id, map[string]string{"out.txt": "x"})
	for range 2 {
		if w := e.ask(t, doorSocket, "DELETE", "/api/files/task0001", ""); w.Code != 204 || w.Body.Len() != 0 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if files := decode[client.Files](t, e.get(t, "/api/files/task0001"), 200); len(files.Files) != 0 || files.TotalSize != 0 {
		t.Errorf("%+v", files)
	}
}
