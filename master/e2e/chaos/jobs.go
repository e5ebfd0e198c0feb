package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"cloudai/master/client"
)

// job is one task with what it must come to if nothing but itself decides.
type job struct {
	name    string
	request client.TaskRequest
	want    want
	cancel  time.Duration // after the submit; 0: never
	hurried bool          // whoever submits it soon gives up waiting for the answer

	// Written by the load, read when it has ended.
	id        string // empty: it was not acknowledged
	cancelled answer
}

// answer is what a cancel was answered.
type answer int

// Answers to a cancel.
const (
	notAsked answer = iota
	agreed          // it must end as cancelled
	tooLate         // a verdict was there
	unknown         // it may have been heard
)

// want is what a task leaves that runs to its end.
type want struct {
	failure        string // empty: it succeeds
	code           int
	stdout, stderr string
	files          map[string]string // SHA-256 by path
}

// newJob is the n-th task, by the seed alone.
func newJob(seed uint64, n int, image string) *job {
	r := stream(seed, streamTasks+uint64(n))
	j := &job{name: fmt.Sprintf("t%04d", n)}
	j.request = client.TaskRequest{
		DockerImage: image, Name: j.name, MemoryRequired: ptr[int64](64), StorageRequired: ptr[int64](64),
		Network: "none", GracePeriod: "1s", MaxReschedules: ptr([]int{0, 2, 5, 20}[r.IntN(4)]), MaxRetries: ptr(0),
		Priority: ptr(r.IntN(101)),
	}
	if r.IntN(3) == 0 {
		j.contained(r)
	} else {
		j.pretended(r)
	}
	j.hurried = r.IntN(10) == 0
	if r.IntN(8) == 0 {
		j.cancel = time.Millisecond + time.Duration(r.Int64N(int64(4*time.Second)))
	}
	return j
}

// contained is a task in a real container.
func (j *job) contained(r *rand.Rand) {
	j.request.Constraints = map[string]string{"kind": "docker"}
	lines, pauses, code, rest := r.IntN(60), 0, 0, ""
	switch r.IntN(10) {
	case 0, 1, 2:
	case 3, 4, 5: // takes a while
		pauses = 1 + r.IntN(40)
	case 6, 7:
		code, j.want.failure = 1+r.IntN(90), "exit"
		j.request.MaxRetries = ptr(r.IntN(3))
	case 8:
		j.want.failure, rest = "timeout", "while :; do sleep 0.1; done"
		j.request.Timeout = (time.Second + time.Duration(r.Int64N(int64(2*time.Second)))).String()
		j.request.MaxRetries = ptr(r.IntN(2))
	case 9:
		j.want.failure, code, rest = "oom", 137, "exec tail /dev/zero"
		j.request.MemoryRequired = ptr[int64](16)
	}
	j.want.code = code
	trap := ""
	if r.IntN(2) == 0 { // what ends with 0 when it is told to end
		trap = "trap 'exit 0' TERM\n"
	}
	records := r.IntN(2) * (1 + r.IntN(2000))
	j.request.Command = trap + fmt.Sprintf(`i=0
while [ $i -lt %[2]d ]; do
	i=$((i+1)); echo "%[1]s out $i"; [ $((i %% 3)) -ne 0 ] || echo "%[1]s err $i" >&2
done
i=0
while [ $i -lt %[3]d ]; do i=$((i+1)); sleep 0.1; echo "%[1]s later $i"; done
i=0
[ %[4]d = 0 ] || { while [ $i -lt %[4]d ]; do i=$((i+1)); echo "%[1]s record $i" || exit %[6]d; done >/output/records; } 2>/dev/null || exit %[6]d
%[5]s
exit %[7]d`, j.name, lines, pauses, records, rest, noRoom, code)
	j.want.stdout = numbered(j.name+" out", lines, 1) + numbered(j.name+" later", pauses, 1)
	j.want.stderr = numbered(j.name+" err", lines, 3)
	if records > 0 {
		j.want.files = map[string]string{"records": hash(numbered(j.name+" record", records, 1))}
	}
}

// noRoom is the exit code of a container that cannot write its output.
const noRoom = 99

// pretended is a task for the fake executor, which computes its log and its
// files from the settings.
func (j *job) pretended(r *rand.Rand) {
	j.request.Constraints = map[string]string{"kind": "fake"}
	env := map[string]string{"FAKE_SLEEP": fmt.Sprintf("%dms", r.IntN(5)*r.IntN(1000))}
	switch r.IntN(10) {
	case 0, 1:
		j.want.failure, j.want.code = "exit", 1+r.IntN(90)
		env["FAKE_EXIT"] = fmt.Sprint(j.want.code)
		j.request.MaxRetries = ptr(r.IntN(3))
	case 2:
		j.want.failure, env["FAKE_SLEEP"] = "timeout", "1h"
		j.request.Timeout = (time.Second + time.Duration(r.Int64N(int64(2*time.Second)))).String()
	case 3:
		j.want.failure, j.want.code, env["FAKE_FAIL"] = "oom", 137, "oom"
	}
	lines := r.IntN(400)
	env["FAKE_LOG_LINES"] = fmt.Sprint(lines)
	for i := range lines {
		text := fmt.Sprintf("line %d", i+1)
		text += strings.Repeat(".", 15-len(text)) + "\n"
		if i%10 == 9 {
			j.want.stderr += text
		} else {
			j.want.stdout += text
		}
	}
	if files := r.IntN(4); files > 0 {
		each := 1 + r.IntN(60<<10)
		env["FAKE_OUTPUT_FILES"], env["FAKE_OUTPUT_BYTES"] = fmt.Sprint(files), fmt.Sprint(files*each)
		j.want.files = map[string]string{}
		for i := range files {
			line := fmt.Sprintf("file %d\n", i+1)
			content := strings.Repeat(line, each/len(line)+1)[:each]
			j.want.files[fmt.Sprintf("out-%05d.txt", i+1)] = hash(content)
		}
	}
	j.request.Env = env
}

// numbered is every step-th of n lines that begin with the words.
func numbered(words string, n, step int) string {
	var b strings.Builder
	for i := step; i <= n; i += step {
		fmt.Fprintf(&b, "%s %d\n", words, i)
	}
	return b.String()
}

func hash(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func ptr[T any](v T) *T { return &v }
