package http

import (
	nethttp "net/http"
	"strings"
)

// Pages is the dashboard: it answers for the files of its build and for the
// pages that people open in a browser.
type Pages interface {
	nethttp.Handler
	// IsFile reports whether a path is that of a file, such as a script.
	IsFile(path string) bool
}

// isPage reports whether a request is for the dashboard. It needs no identity:
// what the pages show they get from the API. Routes of the API come first, and
// a program that asks for a path that is not there gets a problem, not a page.
func (s *Server) isPage(r *nethttp.Request) bool {
	if s.pages == nil || r.Method != nethttp.MethodGet && r.Method != nethttp.MethodHead {
		return false
	}
	path := r.URL.Path
	if path == "/" || s.pages.IsFile(path) {
		return true
	}
	if strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/ws/") || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	_, pattern := s.mux.Handler(r)
	return pattern == "/"
}
