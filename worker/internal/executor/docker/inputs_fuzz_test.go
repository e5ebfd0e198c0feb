package docker

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"path"
	"strings"
	"testing"
	"time"

	"cloudai/worker/internal/executor"
)

// Whatever path an input has, it is packed as a plain file below the container's
// root, with its content, or refused.
func FuzzPack(f *testing.F) {
	f.Add("data/in.txt", "/work", []byte("x"))
	f.Add("../../etc/passwd", "/work", []byte("x"))
	f.Add("/", "", []byte{})
	f.Add("a\x00b", "..", []byte("x"))
	f.Add(strings.Repeat("a/", 3000)+"b", "\xff", []byte("x"))
	f.Fuzz(func(t *testing.T, name, dir string, content []byte) {
		archive, err := pack([]executor.Input{{Path: name, Content: content}, {Path: "second", Content: []byte("2")}}, dir, time.Unix(1, 0))
		if err != nil {
			return
		}
		r := tar.NewReader(archive)
		for i, want := range [][]byte{content, []byte("2")} {
			h, err := r.Next()
			if err != nil {
				t.Fatalf("file %d: %v", i, err)
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, want) || h.Typeflag != tar.TypeReg {
				t.Fatalf("%q: %v, type %c, %q", h.Name, err, h.Typeflag, got)
			}
			if path.IsAbs(h.Name) || path.Clean("/"+h.Name) != "/"+h.Name {
				t.Fatalf("%q in %q is packed as %q", name, dir, h.Name)
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("and then: %v", err)
		}
	})
}
