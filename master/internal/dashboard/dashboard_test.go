package dashboard

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

const script = "console.log('hello')"

func built(t *testing.T) *Pages {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(script)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := newPages(fstest.MapFS{
		"index.html":              {Data: []byte(`<script nonce="__CSP_NONCE__"></script><meta nonce="__CSP_NONCE__">`)},
		"assets/index-abc.js.gz":  {Data: packed.Bytes()},
		"assets/index-abc.js.br":  {Data: []byte("as brotli has it")},
		"assets/index-abc.css.gz": {Data: packed.Bytes()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func get(p *Pages, path, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.Header.Set("Accept-Encoding", accept)
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

// The page must not run what its policy does not name, and each reply has a
// nonce of its own.
func TestPagePolicy(t *testing.T) {
	p := built(t)
	seen := map[string]bool{}
	for _, path := range []string{"/", "/tasks/abc", "/anything"} {
		w := get(p, path, "")
		policy := w.Header().Get("Content-Security-Policy")
		_, rest, found := strings.Cut(policy, "script-src 'self' 'nonce-")
		nonce, _, _ := strings.Cut(rest, "'")
		if !found || len(nonce) < 20 || seen[nonce] {
			t.Fatalf("%s: the policy has no nonce of its own: %s", path, policy)
		}
		seen[nonce] = true
		if got := strings.Count(w.Body.String(), `nonce="`+nonce+`"`); got != 2 {
			t.Errorf("%s: the nonce stands in the page %d times, want 2: %s", path, got, w.Body)
		}
		for _, bad := range []string{"unsafe", "http:", "https:", "*"} {
			if strings.Contains(policy, bad) {
				t.Errorf("%s: the policy allows %s: %s", path, bad, policy)
			}
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", path, got)
		}
	}
}

func TestFileEncodings(t *testing.T) {
	p := built(t)
	for _, c := range []struct{ accept, encoding, body string }{
		{"gzip, deflate, br", "br", "as brotli has it"},
		{"br;q=0, gzip;q=0.5", "gzip", ""},
		{"", "", script},
		{"identity", "", script},
	} {
		w := get(p, "/assets/index-abc.js", c.accept)
		if w.Code != http.StatusOK || w.Header().Get("Content-Encoding") != c.encoding {
			t.Errorf("%q: %d as %q, want %q", c.accept, w.Code, w.Header().Get("Content-Encoding"), c.encoding)
		}
		if c.body != "" && w.Body.String() != c.body {
			t.Errorf("%q: body %q", c.accept, w.Body)
		}
		if got := w.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%q: Cache-Control is %q", c.accept, got)
		}
		if got := w.Header().Get("Content-Type"); got != "text/javascript; charset=utf-8" {
			t.Errorf("%q: Content-Type is %q", c.accept, got)
		}
	}
}

// What is not there is not the page: a script that turns out to be HTML helps
// nobody. And no path leads out of the folder, or to the packed files' names.
func TestFileMissing(t *testing.T) {
	p := built(t)
	for _, path := range []string{"/assets/index-old.js", "/assets/", "/assets/../index.html", "/assets//etc/passwd", "/favicon.svg"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.URL.Path = path
		p.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d, %q", path, w.Code, w.Header().Get("Cache-Control"))
		}
	}
}

// A master that was built without Node.js says so instead of showing nothing.
func TestPlaceholder(t *testing.T) {
	p, err := newPages(fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	if body := get(p, "/", "").Body.String(); !strings.Contains(body, "not in this build") || strings.Contains(body, nonceMark) {
		t.Errorf("the page is: %s", body)
	}
}

// Every file that the built page names is there, in both encodings, and what it
// loads of scripts before it shows anything stays small.
func TestBuiltFiles(t *testing.T) {
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(p.files, "index.html"); err != nil {
		t.Skip("the dashboard is not built here")
	}
	scripts := 0
	for part := range strings.SplitSeq(string(p.index), `"`) {
		if !p.IsFile(part) {
			continue
		}
		for _, encoding := range []string{"gzip", "br", ""} {
			w := get(p, part, encoding)
			if w.Code != http.StatusOK || w.Body.Len() == 0 {
				t.Errorf("%s as %q: %d, %d bytes", part, encoding, w.Code, w.Body.Len())
			}
			if encoding == "gzip" && strings.HasSuffix(part, ".js") {
				scripts += w.Body.Len()
			}
		}
	}
	// The page that is opened adds some 15 kB to these.
	const most = 285_000
	if scripts == 0 || scripts > most {
		t.Errorf("the page loads %d bytes of scripts, more than %d", scripts, most)
	}
}
