package http

import (
	"crypto/rand"
	nethttp "net/http"
	"path"
	"regexp"
	"strings"

	"github.com/klauspost/compress/gzhttp"
	"github.com/rs/cors"

	"cloudai/master/client"
)

const (
	gzipLeast = 1024 // bytes; less is not worth it
	corsAge   = 600  // seconds that a browser may remember what it was told
)

// newCORS says which sites' pages may read what is answered; nil when there are
// none, since the library takes that for all.
func newCORS(origins []string) *cors.Cors {
	if len(origins) == 0 {
		return nil
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins, AllowCredentials: true, MaxAge: corsAge,
		AllowedMethods: []string{"GET", "HEAD", "POST", "PATCH", "DELETE"},
		AllowedHeaders: []string{
			"Accept", "Authorization", "Content-Type", client.KeyHeader, "If-Match", "If-None-Match", "If-Range", "Range", client.RequestHeader,
		},
		ExposedHeaders: []string{
			"Content-Disposition", "Content-Range", "ETag", "Location", "Retry-After", client.AttemptHeader, client.NextOffsetHeader, client.RequestHeader,
		},
	})
}

// preflight answers a browser that asks whether a page of another site may make
// a call; it shows no identity, and does nothing else. A site that is not
// configured gets an answer without what its browser looks for.
func (s *Server) preflight(w nethttp.ResponseWriter, r *nethttp.Request) bool {
	asks := r.Method == nethttp.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" && r.Header.Get("Origin") != ""
	switch {
	case s.cors != nil:
		s.cors.HandlerFunc(w, r)
	case asks:
		w.WriteHeader(nethttp.StatusNoContent)
	}
	return asks
}

// newZipped is next with its replies compressed for those who take that.
func newZipped(next nethttp.Handler) (nethttp.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(gzipLeast), gzhttp.EnableZstd(false))
	if err != nil {
		return nil, err
	}
	return wrap(next), nil
}

// compresses reports whether the reply may be compressed. Not what is sent
// piece by piece, what has ranges or is an archive, and what holds secrets
// beside what the caller has written.
func compresses(r *nethttp.Request) bool {
	path := r.URL.Path
	for _, prefix := range []string{"/ws/", "/api/auth/", "/api/files/", "/api/cluster/join"} {
		if strings.HasPrefix(path, prefix) {
			return false
		}
	}
	return doorOf(r) == doorTCP && !(strings.HasSuffix(path, "/logs") && strings.Contains(r.URL.RawQuery, "follow"))
}

// route hands the request to its handler. A path with . or .. or doubled slashes
// is none: net/http would send the caller to another one, in HTML. It still does
// so for browsers.
func (s *Server) route(w nethttp.ResponseWriter, r *nethttp.Request) {
	given := r.URL.EscapedPath()
	if plain := path.Clean(given); given != plain && given != plain+"/" && !strings.Contains(r.Header.Get("Accept"), "text/html") {
		writeProblem(w, newProblem(nethttp.StatusNotFound, "no such path: it has . or .. or doubled slashes"))
		return
	}
	if compresses(r) {
		s.zipped.ServeHTTP(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestIDOf is the caller's own name for the request, or a new one. It is in
// the reply and in the log.
func requestIDOf(r *nethttp.Request) string {
	if id := r.Header.Get(client.RequestHeader); requestID.MatchString(id) {
		return id
	}
	return rand.Text()
}
