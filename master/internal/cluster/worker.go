package cluster

import (
	"strconv"
	"strings"
	"time"
)

// WorkerStatus is what people see of a worker's health.
type WorkerStatus string

// The worker statuses.
const (
	WorkerActive      WorkerStatus = "active"
	WorkerUnreachable WorkerStatus = "unreachable" // heartbeats arrive, calls to it fail
	WorkerUnhealthy   WorkerStatus = "unhealthy"   // its engine does not answer
	WorkerDraining    WorkerStatus = "draining"    // finishes what it has, gets nothing new
	WorkerLost        WorkerStatus = "lost"        // its heartbeat deadline has passed
)

// WorkerStatuses lists all worker statuses.
var WorkerStatuses = []WorkerStatus{WorkerActive, WorkerUnreachable, WorkerUnhealthy, WorkerDraining, WorkerLost}

// Worker is what the master keeps of a worker across restarts.
type Worker struct {
	ID           WorkerID
	Address      string // host:port that the master calls
	Session      string // of the worker's present process
	Fingerprint  string // of its certificate, pinned
	Version      string
	Labels       map[string]string
	Total        Resources
	Draining     bool
	Lost         bool
	Barred       bool // removed by an administrator; refused until registered again
	RegisteredAt time.Time
	LeftUntil    time.Time // announced its stop: not lost before this; zero: present
}

// RunningAttempt is one attempt as a worker reports it.
type RunningAttempt struct {
	Ref          AttemptRef
	State        State
	Allocated    Resources
	HasContainer bool
	ClusterID    string // of the container's label; empty: ours
}

// Sample is a worker's use at one time.
type Sample struct {
	Time    time.Time
	CPU     float64 // cores in use
	Memory  int64   // MiB
	Storage int64   // MiB
	GPU     int
}

// ValidName reports whether s can name a worker: 1 to 128 letters, digits, dots,
// underscores and dashes, beginning with a letter or digit.
func ValidName(s string) bool {
	if len(s) == 0 || len(s) > 128 {
		return false
	}
	for n, r := range []byte(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		case n > 0 && (r == '.' || r == '_' || r == '-'):
		default:
			return false
		}
	}
	return true
}

// ValidAddress reports whether s is host:port with a port from 1 to 65535; an
// IPv6 address stands in brackets.
func ValidAddress(s string) bool {
	const longest = 255 // of a host name
	at := strings.LastIndexByte(s, ':')
	if at < 1 || at > longest {
		return false
	}
	host := s[:at]
	if port, err := strconv.ParseUint(s[at+1:], 10, 16); err != nil || port == 0 {
		return false
	}
	inBrackets := strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") && len(host) > len("[]")
	if !inBrackets && strings.ContainsAny(host, "[]:") {
		return false
	}
	return !strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("/?#@\\", r) })
}
