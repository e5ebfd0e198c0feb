package cluster

import (
	"errors"
	"testing"
	"time"
)

func TestParseAge(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"720h": 720 * time.Hour, "30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "0": 0, "0d": 0, "0s": 0, "90m": 90 * time.Minute,
	} {
		if got, err := ParseAge(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "d", "30", "-1h", "-1d", "1d-2h", "1.5d", "soon", "99999d", "65535d2000000h", "1h1d"} {
		if got, err := ParseAge(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
}

func FuzzParseAge(f *testing.F) {
	for _, s := range []string{"720h", "30d", "1d12h", "-1d", "65535d9999h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if age, err := ParseAge(s); err == nil && age < 0 {
			t.Fatalf("%q gives %v", s, age)
		}
	})
}
