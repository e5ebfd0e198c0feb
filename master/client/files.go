package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
)

// Files gives the tasks that have left files, newest first.
func (c *Client) Files(ctx context.Context) iter.Seq2[TaskFiles, error] {
	return all[TaskFiles](ctx, c, "/api/files", url.Values{})
}

// TaskFiles lists what one task has left.
func (c *Client) TaskFiles(ctx context.Context, id string) (Files, error) {
	return get[Files](ctx, c, filesPath(id), nil)
}

// DeleteFiles removes what a finished task has left.
func (c *Client) DeleteFiles(ctx context.Context, id string) error {
	return remove(ctx, c, filesPath(id), nil)
}

// OpenFile reads one file; the caller closes it.
func (c *Client) OpenFile(ctx context.Context, id, name string) (io.ReadCloser, error) {
	segments := strings.Split(name, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	resp, err := c.open(ctx, request{method: http.MethodGet, path: filesPath(id) + "/content/" + strings.Join(segments, "/")})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// DownloadOptions are told how a download goes on; nil members are not.
type DownloadOptions struct {
	Done    func(File)    // after each file
	Arrived func(n int64) // after each further n bytes
}

// Download copies what a task has left into the folder dir, which is made when
// it is not there, and checks each file's size and SHA-256. A file appears
// under its name only when it is complete and right; one that has the name
// already is replaced. Nothing is written outside of dir, whatever the paths
// and links in it.
func (c *Client) Download(ctx context.Context, id, dir string, o DownloadOptions) (Files, error) {
	files, err := c.TaskFiles(ctx, id)
	if err != nil {
		return files, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // a person's own results; their umask says who may read them
		return files, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return files, err
	}
	defer root.Close()
	if o.Arrived == nil {
		o.Arrived = func(int64) {}
	}
	for _, f := range files.Files {
		if err := c.fetch(ctx, root, id, f, counter(o.Arrived)); err != nil {
			return files, fmt.Errorf("%s: %w", f.Path, err)
		}
		if o.Done != nil {
			o.Done(f)
		}
	}
	return files, nil
}

// counter is a writer that tells how many bytes were written.
type counter func(n int64)

// Write counts.
func (c counter) Write(p []byte) (int, error) {
	c(int64(len(p)))
	return len(p), nil
}

// fetch brings one file into the folder; its bytes go to arrived as well.
func (c *Client) fetch(ctx context.Context, root *os.Root, id string, f File, arrived io.Writer) (err error) {
	if !fs.ValidPath(f.Path) || f.Path == "." {
		return errors.New("is not a path that a file of a task can have")
	}
	if err := root.MkdirAll(path.Dir(f.Path), 0o755); err != nil {
		return err
	}
	body, err := c.OpenFile(ctx, id, f.Path)
	if err != nil {
		return err
	}
	defer body.Close()
	part := path.Join(path.Dir(f.Path), ".cloudai-part-"+id)
	_ = root.Remove(part) // of an earlier try
	file, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = root.Remove(part) // the error says what matters
		}
	}()
	sum := sha256.New()
	n, copied := io.Copy(io.MultiWriter(file, sum, arrived), body)
	if err := errors.Join(copied, file.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != f.Size || got != f.SHA256 {
		return fmt.Errorf("arrived with %d bytes and SHA-256 %s, expected %d and %s", n, got, f.Size, f.SHA256)
	}
	return root.Rename(part, f.Path)
}

func filesPath(id string) string { return "/api/files/" + url.PathEscape(id) }
