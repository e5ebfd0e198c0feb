package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"cloudai/master/client"
)

func number(n int) string { return strconv.Itoa(n) }

// clock is a time of day.
func (s *shell) clock(t time.Time) string { return t.In(s.zone).Format("15:04:05.000") }

// date is a time in full.
func (s *shell) date(t time.Time) string { return t.In(s.zone).Format("2006-01-02 15:04:05") }

// ago is how long ago a time was.
func (s *shell) ago(t time.Time) string { return roughly(s.now().Sub(t)) + " ago" }

// roughly is a duration with as many digits as people want to read.
func roughly(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d.Round(time.Second) < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// mib is an amount of MiB.
func mib(n int64) string {
	switch {
	case n >= 10*1024 || n >= 1024 && n%1024 == 0:
		return strconv.FormatFloat(float64(n)/1024, 'f', decimals(float64(n)/1024), 64) + " GiB"
	}
	return strconv.FormatInt(n, 10) + " MiB"
}

func decimals(f float64) int {
	if f == float64(int64(f)) || f >= 100 {
		return 0
	}
	return 1
}

// bytesInWords is an amount of bytes.
func bytesInWords(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, units := float64(n)/1024, []string{"KiB", "MiB", "GiB", "TiB"}
	unit := 0
	for f >= 1024 && unit < len(units)-1 {
		f, unit = f/1024, unit+1
	}
	return strconv.FormatFloat(f, 'f', decimals(f), 64) + " " + units[unit]
}

func cores(n float64) string { return strconv.FormatFloat(n, 'g', 4, 64) }

// commandInWords is what the container runs.
func commandInWords(t client.Task) string {
	switch {
	case t.Command != "":
		return t.DockerImage + " --command " + quote([]string{t.Command})
	case len(t.Args) > 0:
		return t.DockerImage + " -- " + quote(t.Args)
	}
	return t.DockerImage
}

// waitingInWords is why a task waits and what would help.
func waitingInWords(t client.Task) string {
	text := t.Waiting.Reason
	if t.Waiting.Suggestion != "" {
		text += "; " + t.Waiting.Suggestion
	}
	return text
}

// failures says each class in words, for when the master adds none.
var failures = map[string]string{
	"exit":        "the container ended with an error",
	"oom":         "it ran out of memory",
	"timeout":     "its timeout passed",
	"image":       "its image is not there",
	"registry":    "the image's registry did not answer",
	"runtime":     "the container could not be run",
	"worker_lost": "its worker was lost",
	"storage":     "it wrote more than its storage",
	"upload":      "its files could not be kept",
}

// failureInWords is how a task failed; empty when it did not.
func failureInWords(t client.Task) string {
	if t.Failure == "" {
		return t.Message
	}
	text := t.Message
	if text == "" {
		text = failures[t.Failure]
	}
	return strings.TrimSuffix(t.Failure+": "+text, ": ")
}

// advice says what a person can do about a failure; empty when only the task
// itself knows.
func advice(t client.Task) string {
	switch t.Failure {
	case "oom":
		return fmt.Sprintf("it had %s: give it more with --mem", mib(t.MemoryRequired))
	case "timeout":
		return fmt.Sprintf("it had %s: give it more with --timeout", t.Timeout)
	case "image":
		return "look at the image's name and tag"
	case "registry":
		return "look at the registry and the network of the worker, or pull the image there by hand"
	case "storage":
		return fmt.Sprintf("it had %s: give it more with --storage", mib(t.StorageRequired))
	}
	return ""
}

// noteOf is what an event says beside its state.
func noteOf(e client.Event) string {
	var words []string
	if e.Outcome != "" && (e.State == "collect_output" || e.State == "stored") {
		words = append(words, e.Outcome)
	}
	if e.ExitCode != nil {
		words = append(words, "exit code "+number(*e.ExitCode))
	}
	switch e.Cause {
	case "submit", "dispatch", "progress", "result", e.Failure:
	default:
		words = append(words, strings.ReplaceAll(e.Cause, "_", " "))
	}
	if e.Failure != "" && e.Failure != "exit" {
		words = append(words, strings.ReplaceAll(e.Failure, "_", " "))
	}
	if e.Message != "" && e.Failure != "exit" && !strings.Contains(strings.Join(words, " "), e.Message) {
		words = append(words, e.Message)
	}
	return strings.Join(words, ", ")
}
