package cluster

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseAge reads how old something is: a Go duration such as 720h, or days, also
// with a duration behind them: 30d, 1d12h. It is never negative.
func ParseAge(s string) (time.Duration, error) {
	const day = 24 * time.Hour
	bad := fmt.Errorf("%w: %q is not an age like 720h or 30d", ErrInvalid, s)
	var age time.Duration
	rest := s
	if days, behind, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16) // 179 years: sums stay far from overflow
		if err != nil {
			return 0, bad
		}
		age, rest = time.Duration(n)*day, behind
	}
	if rest == "" && rest != s {
		return age, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || age+d < age {
		return 0, bad
	}
	return age + d, nil
}
