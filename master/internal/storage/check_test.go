package storage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloudai/master/internal/cluster"
)

// checked gives what a Checker says of the folder with one published task.
func checked(t *testing.T, dir string, rows []cluster.File) (damage, leftovers []string) {
	t.Helper()
	c, err := NewChecker(dir, func(file, what string, leftover bool) {
		line := strings.TrimPrefix(strings.TrimPrefix(file, dir), "/") + ": " + what
		if leftover {
			leftovers = append(leftovers, line)
		} else {
			damage = append(damage, line)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Task(t.Context(), owner, ref.TaskID, rows); err != nil {
		t.Fatal(err)
	}
	if err := c.Rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(leftovers)
	return damage, leftovers
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	k := newKeeper(t, dir)
	two.upload(t, k, ref, 3)
	rows := mustPublish(t, k, ref, two)
	if damage, leftovers := checked(t, dir, rows); damage != nil || leftovers != nil {
		t.Fatalf("a whole folder: %q, %q", damage, leftovers)
	}
	put := func(name, data string) {
		t.Helper()
		if err := os.WriteFile(under(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	home := string(owner) + "/" + string(ref.TaskID)
	for _, tt := range []struct {
		do   func()
		want string
	}{
		{func() { put(home+"/c", "6") }, home + "/c: its SHA-256"},
		{func() { put(home+"/c", "55") }, home + "/c: has 2 bytes, 1 were"},
		{func() { _ = os.Remove(under(dir, home+"/c")) }, home + "/c: the file is missing"},
		{func() { _ = os.Symlink("a/b", under(dir, home+"/c")) }, home + "/c: is no file"},
	} {
		tt.do()
		if damage, _ := checked(t, dir, rows); len(damage) != 1 || !strings.HasPrefix(damage[0], tt.want) {
			t.Errorf("want %q, got %q", tt.want, damage)
		}
	}
	for _, folder := range []string{".staging/t9/1-l", ".trash/x", "ann/ghost"} {
		if err := os.MkdirAll(under(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	_, leftovers := checked(t, dir, rows)
	if len(leftovers) != 3 || !strings.HasPrefix(leftovers[0], ".staging/t9") || !strings.HasPrefix(leftovers[1], ".trash/x") || !strings.HasPrefix(leftovers[2], "ann/ghost") {
		t.Errorf("leftovers %q", leftovers)
	}
	if damage, _ := checked(t, filepath.Join(dir, "nowhere"), rows); len(damage) != len(rows) {
		t.Errorf("without a folder: %q", damage)
	}
}
