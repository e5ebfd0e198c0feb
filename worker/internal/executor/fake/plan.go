package fake

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Values of FAKE_FAIL.
const (
	failPull   = "pull"   // Create answers ErrImage: EnsureImage does not see the environment
	failCreate = "create" // Create is refused
	failStart  = "start"  // Run is refused at the start
	failOOM    = "oom"    // ends with 137 and OOMKilled after FAKE_SLEEP
)

// Bounds that keep sums within int64 and a slip of the finger off the disk.
const (
	maxSleep = 100 * 24 * time.Hour
	maxBytes = 1 << 40
	maxLines = 1 << 36
	maxFiles = 100_000
)

// defaultWidth is a log line's length and a file's size when only their number
// is given, in bytes.
const defaultWidth = 16

// wideWidth is a log line's length when only FAKE_LOG_BYTES is given.
const wideWidth = 100

// plan is what a container pretends to do, as kept in its file.
type plan struct {
	Sleep      time.Duration `json:"sleep,omitempty"`
	Exit       int           `json:"exit,omitempty"`
	Lines      int64         `json:"lines,omitempty"` // of the log
	Width      int64         `json:"width,omitempty"` // bytes of a line with its newline
	Tail       int64         `json:"tail,omitempty"`  // bytes that the last line has more
	Files      int           `json:"files,omitempty"`
	FileBytes  int64         `json:"file_bytes,omitempty"` // of all files together
	Fail       string        `json:"fail,omitempty"`
	IgnoreTerm bool          `json:"ignore_term,omitempty"`
}

// parsePlan reads the variables that steer a container:
//
//	FAKE_SLEEP         how long it runs, a Go duration; default 0
//	FAKE_EXIT          exit code, 0 to 255; default 0
//	FAKE_LOG_LINES     lines of its log, spread over FAKE_SLEEP; every tenth goes to stderr
//	FAKE_LOG_BYTES     bytes of its log, all lines together
//	FAKE_OUTPUT_FILES  files in the output folder, there from the start on
//	FAKE_OUTPUT_BYTES  bytes of all these files together
//	FAKE_FAIL          pull, create, start or oom
//	FAKE_IGNORE_TERM   1: only KILL ends it
//
// Other variables that begin with FAKE_ and values that do not parse are
// errors that name the variable.
func parsePlan(env map[string]string) (plan, error) {
	var p plan
	logLines, logBytes, files, fileBytes := int64(-1), int64(-1), int64(-1), int64(-1)
	names := make([]string, 0, 4)
	for name := range env {
		if strings.HasPrefix(name, "FAKE_") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		value := env[name]
		var err error
		switch name {
		case "FAKE_SLEEP":
			p.Sleep, err = parseSleep(value)
		case "FAKE_EXIT":
			var code int64
			code, err = parseCount(value, 255)
			p.Exit = int(code)
		case "FAKE_LOG_LINES":
			logLines, err = parseCount(value, maxLines)
		case "FAKE_LOG_BYTES":
			logBytes, err = parseCount(value, maxBytes)
		case "FAKE_OUTPUT_FILES":
			files, err = parseCount(value, maxFiles)
		case "FAKE_OUTPUT_BYTES":
			fileBytes, err = parseCount(value, maxBytes)
		case "FAKE_FAIL":
			p.Fail, err = parseFail(value)
		case "FAKE_IGNORE_TERM":
			p.IgnoreTerm, err = strconv.ParseBool(value)
		default:
			err = fmt.Errorf("no such variable")
		}
		if err != nil {
			return plan{}, fmt.Errorf("%s=%q: %w", name, value, err)
		}
	}
	if err := p.setLog(logLines, logBytes); err != nil {
		return plan{}, err
	}
	p.setFiles(files, fileBytes)
	return p, nil
}

// setLog derives the log's shape; -1 stands for a variable that is not set.
func (p *plan) setLog(lines, bytes int64) error {
	switch {
	case lines < 0 && bytes <= 0, lines == 0 && bytes <= 0:
		return nil
	case lines < 0:
		lines = max(1, bytes/wideWidth)
	case bytes < 0:
		bytes = lines * defaultWidth
	}
	if lines == 0 || bytes < lines {
		return fmt.Errorf("FAKE_LOG_BYTES=\"%d\": not enough for FAKE_LOG_LINES=%d, or no line to put them in", bytes, lines)
	}
	p.Lines, p.Width, p.Tail = lines, bytes/lines, bytes%lines
	return nil
}

// setFiles derives the output's shape; -1 stands for a variable that is not set.
func (p *plan) setFiles(files, bytes int64) {
	if files < 0 && bytes > 0 {
		files = 1
	}
	if files <= 0 {
		return
	}
	if bytes < 0 {
		bytes = files * defaultWidth
	}
	p.Files, p.FileBytes = int(files), bytes
}

func parseSleep(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0, err
	}
	if d < 0 || d > maxSleep {
		return 0, fmt.Errorf("must lie between 0 and %s", maxSleep)
	}
	return d, nil
}

func parseCount(value string, most int64) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("must be a whole number from 0 to %d", most)
	}
	return n, nil
}

func parseFail(value string) (string, error) {
	switch value {
	case "", failPull, failCreate, failStart, failOOM:
		return value, nil
	default:
		return "", fmt.Errorf("must be pull, create, start or oom")
	}
}
