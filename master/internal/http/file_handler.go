package http

import (
	"context"
	"errors"
	"fmt"
	"mime"
	nethttp "net/http"
	"path"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/storage"
)

func (s *Server) fileRoutes(api huma.API) {
	register(api, accessRead, huma.Operation{
		OperationID: "listFiles", Method: nethttp.MethodGet, Path: "/api/files",
		Summary: "Tasks that have left files, newest first", Tags: []string{"files"},
	}, s.listFiles)
	register(api, accessRead, s.aboutTask(huma.Operation{
		OperationID: "getTaskFiles", Method: nethttp.MethodGet, Path: "/api/files/{id}",
		Summary: "What one task has left", Tags: []string{"files"},
	}), s.getTaskFiles)
	register(api, accessRead, s.aboutTask(huma.Operation{
		OperationID: "downloadTaskFiles", Method: nethttp.MethodGet, Path: "/api/files/{id}/download",
		Summary: "All files of one task in one archive", Tags: []string{"files"},
		Responses: binaryResponse("application/gzip", "application/zip"),
	}), s.downloadTaskFiles)
	register(api, accessRead, s.aboutTask(huma.Operation{
		OperationID: "readTaskFile", Method: nethttp.MethodGet, Path: "/api/files/{id}/content/{path...}",
		Summary: "One file, with ranges", Tags: []string{"files"},
		Responses: rangeResponses(),
	}), s.readTaskFile)
	register(api, accessSubmit, s.aboutTask(huma.Operation{
		OperationID: "deleteTaskFiles", Method: nethttp.MethodDelete, Path: "/api/files/{id}", DefaultStatus: nethttp.StatusNoContent,
		Summary: "Delete what one task has left", Tags: []string{"files"},
		Description: "Makes room in a quota of files. 409 while the task is not finished.",
	}), s.deleteTaskFiles)
}

func binaryResponse(types ...string) map[string]*huma.Response {
	return map[string]*huma.Response{"200": bearing("The bytes.", types...)}
}

func (s *Server) listFiles(ctx context.Context, in *struct {
	PageParams
	Strict StrictQuery
},
) (*listOutput[client.TaskFiles], error) {
	page := cluster.Page{Limit: in.Limit, After: in.after.cursor()}
	tasks, next, err := s.core.FilesOf(ctx, caller(ctx), page)
	if err != nil {
		return nil, err
	}
	return &listOutput[client.TaskFiles]{client.List[client.TaskFiles]{
		Items: each(tasks, taskFilesOf), NextCursor: cursorOf("listFiles", next),
	}}, nil
}

func (s *Server) getTaskFiles(ctx context.Context, in *struct {
	TaskPath
	Strict StrictQuery
},
) (*struct{ Body client.Files }, error) {
	view, files, err := s.core.TaskFiles(ctx, caller(ctx), cluster.TaskID(in.ID))
	if err != nil {
		return nil, err
	}
	size := view.Files.TotalSize
	if view.Files.Deleted {
		size = 0 // what it was, the task's usage says
	}
	return &struct{ Body client.Files }{client.Files{
		TaskID: string(view.ID), TaskName: view.Spec.Name, TotalSize: size,
		Files: each(files, fileOf), Skipped: each(view.Files.Skipped, skippedOf),
	}}, nil
}

func (s *Server) deleteTaskFiles(ctx context.Context, in *struct {
	TaskPath
	Strict StrictQuery
},
) (*struct{}, error) {
	return nil, s.core.DeleteFiles(ctx, caller(ctx), cluster.TaskID(in.ID))
}

// readTaskFile serves one file. Its bytes are a stranger's: the browser is
// told to store them and to guess nothing.
func (s *Server) readTaskFile(ctx context.Context, in *struct {
	TaskPath
	Path   string `path:"path" doc:"Relative to /output."`
	Strict StrictQuery
},
) (*huma.StreamResponse, error) {
	view, files, err := s.core.TaskFiles(ctx, caller(ctx), cluster.TaskID(in.ID))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.Path != in.Path {
			continue
		}
		content, size, err := s.files.OpenFile(view.UserID, view.ID, f.Path)
		if err != nil {
			return nil, err
		}
		if size != f.Size {
			return nil, errors.Join(fmt.Errorf("the file on the disk has %d bytes, not %d", size, f.Size), content.Close())
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			defer func() { _ = content.Close() }() // only read
			r, w := humago.Unwrap(hc)
			untrusted(w.Header(), path.Base(f.Path))
			w.Header().Set("Content-Type", f.ContentType)
			w.Header().Set("ETag", `"`+f.SHA256+`"`)
			if !strings.HasPrefix(r.Header.Get("Range"), "bytes=") {
				r.Header.Del("Range") // of another unit: there is no such range (RFC 9110, 14.2)
			}
			nethttp.ServeContent(&rangeWriter{ResponseWriter: w, size: size}, r, "", view.FinishedAt, content)
		}}, nil
	}
	return nil, fmt.Errorf("%w: the task has left no such file", cluster.ErrNotFound)
}

// rangeWriter says in the edge's words what net/http refuses in its own.
type rangeWriter struct {
	nethttp.ResponseWriter
	size    int64
	refused bool
}

// WriteHeader sends a problem in the place of a refusal.
func (w *rangeWriter) WriteHeader(status int) {
	var problem *Problem
	switch status {
	case nethttp.StatusRequestedRangeNotSatisfiable:
		problem = invalidProblem([]cluster.FieldError{{
			Location: "Range", Message: fmt.Sprintf("names nothing that the file has; it has %d bytes", w.size),
		}}).as(status)
	case nethttp.StatusPreconditionFailed:
		problem = newProblem(status, "the file is not the one that is asked for; its ETag is its sha256 in quotes")
	default:
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.refused = true
	w.Header().Del("Content-Disposition")
	writeProblem(w.ResponseWriter, problem)
}

// Write leaves net/http's words out.
func (w *rangeWriter) Write(data []byte) (int, error) {
	if w.refused {
		return len(data), nil
	}
	return w.ResponseWriter.Write(data)
}

// untrusted sets what keeps a browser from running a task's output.
func untrusted(h nethttp.Header, name string) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
}

func (s *Server) downloadTaskFiles(ctx context.Context, in *struct {
	TaskPath
	Format string `query:"format" enum:"tar.gz,zip" default:"tar.gz"`
	Strict StrictQuery
},
) (*huma.StreamResponse, error) {
	view, files, err := s.core.TaskFiles(ctx, caller(ctx), cluster.TaskID(in.ID))
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		untrusted(w.Header(), string(view.ID)+"."+in.Format)
		contentType := "application/gzip"
		if in.Format == string(storage.FormatZip) {
			contentType = "application/zip"
		}
		w.Header().Set("Content-Type", contentType)
		if err := s.files.Archive(r.Context(), w, view.UserID, view.ID, files, storage.Format(in.Format)); err != nil {
			if r.Context().Err() == nil {
				s.log.Warn("archive could not be sent to its end", "task_id", view.ID, "error", err)
			}
			panic(nethttp.ErrAbortHandler) // so that nobody takes a part for the whole
		}
	}}, nil
}
