package cli

import (
	"os"
	"path/filepath"
	"strings"
)

const (
	historyName  = "prompt-history"
	historyLimit = 1000 // lines
)

// history is the lines typed at earlier prompts, in the data folder of the
// master on this machine. Where there is none, nothing is kept.
type history struct {
	path string // empty: not kept
}

func openHistory(dataDir string) history {
	if info, err := os.Stat(dataDir); err != nil || !info.IsDir() {
		return history{}
	}
	return history{path: filepath.Join(dataDir, historyName)}
}

// lines gives the last ones, oldest first, and shortens a file that has grown
// long.
func (h history) lines() []string {
	if h.path == "" {
		return nil
	}
	data, err := os.ReadFile(h.path)
	if err != nil {
		return nil // there is none yet, or it is not ours to read
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	if len(lines) > 2*historyLimit {
		lines = lines[len(lines)-historyLimit:]
		short := h.path + ".new"
		if os.WriteFile(short, []byte(strings.Join(lines, "\n")+"\n"), 0o600) == nil {
			_ = os.Rename(short, h.path) // else it stays long
		}
	}
	return lines[max(0, len(lines)-historyLimit):]
}

// add keeps a line. A history that cannot be written is not worth a word.
func (h history) add(line string) {
	if h.path == "" {
		return
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, _ = f.WriteString(line + "\n")
	_ = f.Close()
}
