package main

import (
	"strings"
	"testing"

	"cloudai/master/internal/config"
)

func TestDisks(t *testing.T) {
	cfg := config.Config{DataDir: t.TempDir(), FilesDir: t.TempDir()}
	state, err := disksOf(cfg)[0].look()
	if err != nil || state.Holds != "state" || state.Free <= 0 || state.Reserve <= 0 || state.Reserve > 256<<20 {
		t.Fatalf("%+v, %v", state, err)
	}
	for reserve, low := range map[int64]bool{64 << 10: false, 1 << 60: true} {
		cfg.Retention.DiskReserve = reserve
		for _, d := range disksOf(cfg) {
			if now, err := d.look(); err != nil || now.Low != low || now.Reserve != reserve {
				t.Errorf("reserve %d: %+v, %v", reserve, now, err)
			}
			if err := d.room(); (err != nil) != low || low && !strings.Contains(err.Error(), d.dir) {
				t.Errorf("reserve %d: %v", reserve, err)
			}
		}
	}
}

func TestPolicy(t *testing.T) {
	if p := policyOf(config.Retention{}); !p.KeepsAll() {
		t.Errorf("by default %+v goes", p)
	}
	p := policyOf(config.Retention{Tasks: 3, Logs: 1, Files: 2, Bytes: 4})
	if *p.Tasks != 3 || *p.Logs != 1 || *p.Files != 2 || *p.Bytes != 4 {
		t.Errorf("got %v %v %v %v", *p.Tasks, *p.Logs, *p.Files, *p.Bytes)
	}
	if p := policyOf(config.Retention{Files: 2}); p.Tasks != nil || p.Logs != nil || p.Bytes != nil || *p.Files != 2 {
		t.Errorf("of files alone: %+v", p)
	}
}
