package fake

import (
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"cloudai/worker/internal/executor"
	"cloudai/worker/internal/executor/executortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, dir string) *Executor {
	t.Helper()
	e, err := New(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestConformance(t *testing.T) {
	executortest.Run(t, func(t *testing.T) (executor.Executor, executortest.Options) {
		dir := t.TempDir()
		return open(t, dir), executortest.Options{
			Image:       "busybox",
			Absent:      "registry.example/nothing:absent",
			Unreachable: "registry.invalid:5000/busybox",
			Apply:       steer,
			Reopen:      func(t *testing.T) executor.Executor { return open(t, dir) },
		}
	})
}

// steer makes a container by its environment.
func steer(spec *executor.Spec, b executortest.Behavior) {
	spec.Env = map[string]string{
		"FAKE_SLEEP":        b.Sleep.String(),
		"FAKE_EXIT":         strconv.Itoa(b.Exit),
		"FAKE_LOG_LINES":    strconv.Itoa(b.Lines),
		"FAKE_OUTPUT_FILES": strconv.Itoa(b.Output),
		"FAKE_IGNORE_TERM":  strconv.FormatBool(b.IgnoreTerm),
	}
	if b.OOM {
		spec.Env["FAKE_FAIL"] = failOOM
	}
	if b.Refused {
		spec.Env["FAKE_FAIL"] = failStart
	}
}
