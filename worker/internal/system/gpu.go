package system

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// GPU is one device.
type GPU struct {
	Use float64 // percent
}

// gpuTimeout bounds a call of nvidia-smi, which hangs when its driver does.
const gpuTimeout = 5 * time.Second

// GPUs asks nvidia-smi for the devices; where there is none, or it fails,
// there are no devices.
func GPUs(ctx context.Context) []GPU {
	path, err := exec.LookPath("nvidia-smi")
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, gpuTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits") //nolint:gosec // nvidia-smi, as found on the PATH
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil
	}
	return parseGPUs(string(out))
}

// parseGPUs reads one device per line; a use that is not told counts as none.
func parseGPUs(out string) []GPU {
	var gpus []GPU
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		use, err := strconv.ParseFloat(line, 64)
		if err != nil || !(use >= 0 && use <= 100) {
			use = 0
		}
		gpus = append(gpus, GPU{Use: use})
	}
	return gpus
}
