package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"cloudai/master/internal/db/embedded"
	"cloudai/master/internal/db/mongodb/mongotest"
	"cloudai/master/internal/db/storetest"
)

// called is what a command printed and how it ended.
type called struct {
	out, errs string
	code      int
}

// call runs the program with a data folder.
func call(t *testing.T, dir string, args ...string) called {
	t.Helper()
	var out, errs bytes.Buffer
	getenv := func(name string) string { return map[string]string{"MASTER_DATA_DIR": dir}[name] }
	code := run(t.Context(), args, getenv, nil, &out, &errs)
	return called{out.String(), errs.String(), code}
}

// filledFolder has a store with something of everything.
func filledFolder(t *testing.T, dir string) {
	t.Helper()
	s, err := embedded.Open(t.Context(), dir, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := storetest.Populate(t.Context(), s, 20); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestUpkeepCommands(t *testing.T) {
	dir := t.TempDir()
	data, back, moved, file := filepath.Join(dir, "data"), filepath.Join(dir, "back"), filepath.Join(dir, "moved"), filepath.Join(dir, "file")
	filledFolder(t, data)
	for _, step := range []struct {
		dir  string
		args []string
		code int
		says string
	}{
		{data, []string{"backup"}, 2, "1 are needed"},
		{data, []string{"backup", "--help"}, 0, "--force"},
		{data, []string{"fsck", "--nothing"}, 2, "nothing"},
		{data, []string{"backup", file}, 0, "20 tasks"},
		{data, []string{"backup", file}, 1, "--force"},
		{data, []string{"backup", "--force", file}, 0, "20 tasks"},
		{data, []string{"backup", "--mongodb-uri", "mongodb://:secret@x", file}, 1, "mongodump"},
		{data, []string{"restore", "--mongodb-uri", "mongodb://:secret@x", file}, 1, "mongorestore"},
		{data, []string{"fsck", "--mongodb-uri", "mongodb://:secret@x"}, 2, "database/README.md"},
		{data, []string{"restore", file}, 1, data},
		{back, []string{"fsck"}, 2, back},
		{back, []string{"restore", file}, 0, "20 tasks"},
		{back, []string{"migrate", "--from", "embedded:" + back}, 1, "--to"},
		{back, []string{"migrate", "--from", "embedded:" + dir, "--to", "embedded:" + moved}, 1, "no store in " + dir},
		{back, []string{"migrate", "--from", "http://secret@x", "--to", "embedded:" + moved}, 1, "neither"},
		{back, []string{"migrate", "--from", "embedded:" + back, "--to", "embedded:" + moved}, 0, "20 tasks"},
		{back, []string{"migrate", "--from", "embedded:" + back, "--to", "embedded:" + moved}, 1, "not empty"},
	} {
		got := call(t, step.dir, step.args...)
		if got.code != step.code || !strings.Contains(got.out+got.errs, step.says) || strings.Contains(got.errs, "secret") {
			t.Errorf("%v: %+v, want %d with %q", step.args, got, step.code, step.says)
		}
	}
	s, err := embedded.Open(t.Context(), back, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, args := range [][]string{{"fsck"}, {"restore", file}, {"migrate", "--from", "embedded:" + back, "--to", "embedded:" + filepath.Join(dir, "other")}} {
		if got := call(t, back, args...); got.code == 0 || !strings.Contains(got.errs, "in use") {
			t.Errorf("%v of a folder in use: %+v", args, got)
		}
	}
}

func TestMigrateToMongoDBAndBack(t *testing.T) {
	server, err := mongotest.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	dir := t.TempDir()
	data, back := filepath.Join(dir, "data"), filepath.Join(dir, "back")
	filledFolder(t, data)
	there := call(t, data, "migrate", "--from", "embedded:"+data, "--to", server.URI())
	again := call(t, data, "migrate", "--from", server.URI(), "--to", "embedded:"+back)
	getenv := func(name string) string {
		return map[string]string{"MASTER_DATA_DIR": data, "MONGODB_URI": server.URI()}[name]
	}
	var out, errs bytes.Buffer
	args := []string{"backup", "--mongodb-uri=", "--master-data-dir", back, filepath.Join(dir, "file")}
	if code := run(t.Context(), args, getenv, nil, &out, &errs); code != 0 || !strings.Contains(out.String(), "20 tasks") {
		t.Errorf("a backup by way of an embedded store: %d %s%s", code, out.String(), errs.String())
	}
	if there.code != 0 || again.code != 0 || there.out != again.out || !strings.Contains(there.out, "20 tasks") {
		t.Errorf("there %+v\nand back %+v", there, again)
	}
}
