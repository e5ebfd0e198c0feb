package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/shlex"
)

// split cuts a line into words as a shell would, with its quotes and nothing
// else of it: no variables, no pipes.
func split(line string) ([]string, error) {
	words, err := shlex.Split(line)
	if err != nil {
		return nil, usagef("a quote or a backslash at the end lacks its other half")
	}
	return words, nil
}

// sizeUnits are the units of sizes in MiB.
var sizeUnits = map[string]float64{
	"k": 1.0 / 1024, "m": 1, "g": 1024, "t": 1024 * 1024, "p": 1024 * 1024 * 1024,
}

// maxSize is the largest size in MiB that is understood.
const maxSize = 1 << 50

// parseSize reads a size such as 512m or 2g and gives MiB, rounded up.
func parseSize(text string) (int64, error) {
	s := strings.ToLower(strings.TrimSpace(text))
	s = strings.TrimSuffix(strings.TrimSuffix(s, "b"), "i")
	bad := fmt.Errorf("%q is not a size such as 512m or 2g", text)
	if s == "" {
		return 0, bad
	}
	number, unit := s[:len(s)-1], s[len(s)-1:]
	factor, ok := sizeUnits[unit]
	if !ok {
		if plain(s) {
			return 0, fmt.Errorf("%q lacks its unit, as in %sm (MiB) or %sg (GiB)", text, s, s)
		}
		return 0, bad
	}
	if !plain(number) {
		return 0, bad
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n*factor > maxSize {
		return 0, fmt.Errorf("%q is too large", text)
	}
	return int64(math.Ceil(n * factor)), nil
}

// plain reports whether s is digits with at most one point in them.
func plain(s string) bool {
	points, digits := 0, 0
	for _, r := range s {
		switch {
		case r == '.':
			points++
		case r >= '0' && r <= '9':
			digits++
		default:
			return false
		}
	}
	return digits > 0 && points <= 1
}

// parseCPU reads a number of cores.
func parseCPU(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) || n < 0 {
		return 0, fmt.Errorf("%q is not a number of cores such as 0.5 or 2", text)
	}
	return n, nil
}

// parsePairs reads NAME=value, each name once. The value may hold anything.
func parsePairs(pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	out := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q is not name=value", pair)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("%s is given twice", name)
		}
		out[name] = value
	}
	return out, nil
}

// parseDuration checks a duration that goes to the master as it stands.
func parseDuration(text string) error {
	if _, err := time.ParseDuration(text); err != nil {
		return fmt.Errorf("%q is not a duration such as 90s, 5m or 1h30m", text)
	}
	return nil
}
