// Package dashboard owns the built pages of ui/ and serves them from the
// binary. It knows nothing of the API that they call.
package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// dist is what `make ui` has put here: index.html as it is, all else as .gz and
// .br only. Without Node.js it holds nothing but a dot-file, so that the master
// can be built all the same.
//
//go:embed all:dist
var dist embed.FS

//go:embed placeholder.html
var placeholder []byte

// nonceMark stands in index.html wherever a reply's own nonce belongs.
const nonceMark = "__CSP_NONCE__"

// Pages serves the dashboard. Every path that is no file is the page itself,
// which finds out from the address what to show.
type Pages struct {
	files fs.FS
	index []byte
}

// New takes what was built in, or the placeholder.
func New() (*Pages, error) {
	built, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, fmt.Errorf("the dashboard's files: %w", err)
	}
	return newPages(built)
}

func newPages(built fs.FS) (*Pages, error) {
	index, err := fs.ReadFile(built, "index.html")
	if errors.Is(err, fs.ErrNotExist) {
		index, err = placeholder, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the dashboard's page: %w", err)
	}
	return &Pages{files: built, index: index}, nil
}

// IsFile tells apart the paths of files, which are wanted by anybody, and those
// of pages, which only a browser's address line wants.
func (*Pages) IsFile(name string) bool {
	return strings.HasPrefix(name, "/assets/") || name == "/favicon.svg"
}

// ServeHTTP answers GET and HEAD.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.IsFile(r.URL.Path) {
		p.serveFile(w, r)
		return
	}
	nonce := rand.Text()
	page := bytes.ReplaceAll(p.index, []byte(nonceMark), []byte(nonce))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	h.Set("Cache-Control", "no-store") // a nonce is for one reply
	h.Set("Content-Security-Policy", policy(nonce))
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	if r.Method != http.MethodHead {
		_, _ = w.Write(page) // a client that has gone
	}
}

// policy lets the page load what comes from this master and nothing else.
// Styles that the component library injects carry the nonce.
func policy(nonce string) string {
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self' 'nonce-" + nonce + "'",
		"style-src 'self' 'nonce-" + nonce + "'",
		"img-src 'self' data: blob:",
		"font-src 'self'",
		"connect-src 'self'",
		"base-uri 'none'",
		"form-action 'self'",
		"frame-ancestors 'none'",
	}, "; ")
}

// serveFile serves one compressed file. A name under assets/ holds a hash of the
// content, so it may be kept for ever.
func (p *Pages) serveFile(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	encoding := preferred(r.Header.Get("Accept-Encoding"))
	data, err := p.read(name, encoding)
	if err != nil {
		// Most likely a page of an older version is still open somewhere.
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "no such file; reload the page", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType(name))
	h.Set("Content-Length", strconv.Itoa(len(data)))
	h.Set("Vary", "Accept-Encoding")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if !strings.HasPrefix(name, "assets/") {
		h.Set("Cache-Control", "public, max-age=3600")
	}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(data) //nolint:gosec // embedded pages, by a name that is in the list; an error is a client that has gone
	}
}

var suffixes = map[string]string{"br": ".br", "gzip": ".gz"}

// preferred is the best encoding that the client takes and the build has made;
// empty: none. Clients that weigh encodings against each other do not exist
// outside of tests; a weight of 0 counts as a refusal.
func preferred(accept string) string {
	takes := map[string]bool{}
	for item := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(item), ";")
		_, weight, weighed := strings.Cut(params, "q=")
		q, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
		takes[strings.ToLower(strings.TrimSpace(name))] = !weighed || err == nil && q > 0
	}
	for _, encoding := range []string{"br", "gzip"} {
		if takes[encoding] {
			return encoding
		}
	}
	return ""
}

// read is a file as the encoding has it; without one it is unpacked.
func (p *Pages) read(name, encoding string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrNotExist
	}
	if encoding != "" {
		return fs.ReadFile(p.files, name+suffixes[encoding])
	}
	packed, err := fs.ReadFile(p.files, name+".gz")
	if err != nil {
		return nil, err
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unpacked)
}

// contentType does not ask the system's tables, which differ between machines.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	}
	if known := mime.TypeByExtension(path.Ext(name)); known != "" {
		return known
	}
	return "application/octet-stream"
}
