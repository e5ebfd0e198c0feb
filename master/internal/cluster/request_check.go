package cluster

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxFaults bounds a refusal: whoever has this many needs no longer list.
const maxFaults = 100

// check gathers what is wrong with a request.
type check struct {
	fields []FieldError
}

func (c *check) add(location, message string) {
	if len(c.fields) < maxFaults {
		c.fields = append(c.fields, FieldError{Location: location, Message: message})
	}
}

// orDefault is the number asked for, or the default when none was.
func orDefault[N int | int64](c *check, location string, asked *N, byDefault, low, high int64) int64 {
	if asked == nil {
		return byDefault
	}
	n := int64(*asked)
	if n < low || n > high {
		c.add(location, fmt.Sprintf("must be between %d and %d, not %d", low, high, n))
	}
	return n
}

func (c *check) duration(location, text string, byDefault, low, high time.Duration) time.Duration {
	if text == "" {
		return byDefault
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		c.add(location, "is not a duration such as 90s, 5m or 1h30m")
	case d < low && low > 0:
		c.add(location, "must be longer than zero; leave it out for none")
	case d < low:
		c.add(location, "must not be negative")
	case d > high:
		c.add(location, "must be at most "+high.String())
	}
	return d
}

// image looks for what no image reference can have; the executor parses it in
// full.
func (c *check) image(ref string) {
	switch {
	case ref == "":
		c.add("docker_image", "is required, for instance alpine:3.20")
	case len(ref) > MaxImage:
		c.add("docker_image", fmt.Sprintf("must be at most %d bytes", MaxImage))
	case strings.ContainsFunc(ref, notInImage):
		c.add("docker_image", "may only have letters, digits and . _ - : / @")
	case !isAlphanumeric(ref[0]) || !isAlphanumeric(ref[len(ref)-1]):
		c.add("docker_image", "must begin and end with a letter or digit")
	}
}

func notInImage(r rune) bool {
	return r >= utf8.RuneSelf || !isAlphanumeric(byte(r)) && !strings.ContainsRune("._-:/@", r) //nolint:gosec // below RuneSelf a rune is a byte
}

func isAlphanumeric(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}

// process checks what is run: command or arguments, environment, folder.
func (c *check) process(r TaskRequest) {
	if r.Command != "" && len(r.Args) > 0 {
		c.add("command", "give either command (run by /bin/sh -c) or args (after the image's entrypoint), not both")
	}
	c.argument("command", r.Command, len(r.Command))
	for i, arg := range r.Args {
		c.argument(fmt.Sprintf("args[%d]", i), arg, len(arg))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Env)) {
		location := at("env", name)
		if name == "" || strings.ContainsFunc(name, notInName) || strings.ContainsRune(name, '=') || !utf8.ValidString(name) {
			c.add(location, "a variable's name must not be empty nor have = or control characters")
		}
		value := r.Env[name]
		c.argument(location, value, len(name)+1+len(value))
	}
	if r.Workdir != "" {
		c.path("workdir", r.Workdir)
		if !strings.HasPrefix(r.Workdir, "/") {
			c.add("workdir", "must be an absolute path")
		}
	}
}

// argument checks what the kernel is handed at the start of a process.
func (c *check) argument(location, text string, size int) {
	switch {
	case size > MaxArgument:
		c.add(location, fmt.Sprintf("must be at most %d bytes, not %d", MaxArgument, size))
	case strings.IndexByte(text, 0) >= 0:
		c.add(location, "must not have a NUL byte")
	case !utf8.ValidString(text):
		c.add(location, "must be valid UTF-8")
	}
}

// text checks one line that people read; empty is fine.
func (c *check) text(location, text string, limit int) {
	if wrong := lineFault(text, limit); wrong != "" {
		c.add(location, wrong)
	}
}

// CheckLine says what keeps a text from being a name that people read, or "".
func CheckLine(text string) string { return lineFault(text, MaxName) }

func lineFault(text string, limit int) string {
	switch {
	case len(text) > limit:
		return fmt.Sprintf("must be at most %d bytes, not %d", limit, len(text))
	case !utf8.ValidString(text):
		return "must be valid UTF-8"
	case strings.ContainsFunc(text, notInName):
		return "must not have control characters or line breaks"
	}
	return ""
}

// notInName holds for what would drive a terminal or turn the writing
// direction of what follows.
func notInName(r rune) bool {
	return unicode.IsControl(r) ||
		r == '\u2028' || r == '\u2029' || // line and paragraph separator
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' // bidirectional overrides
}

func (c *check) labels(location string, labels map[string]string) {
	if len(labels) > MaxLabels {
		c.add(location, fmt.Sprintf("must be at most %d, not %d", MaxLabels, len(labels)))
		return
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		here := at(location, key)
		if key == "" || strings.ContainsRune(key, '=') {
			c.add(here, "a label's name must not be empty nor have =")
		}
		c.text(here, key, MaxName)
		c.text(here, labels[key], MaxName)
	}
}

func (c *check) inputs(files []InputFile) {
	if len(files) > MaxInputs {
		c.add("inputs", fmt.Sprintf("must be at most %d files, not %d", MaxInputs, len(files)))
		return
	}
	total := 0
	first := map[string]int{}
	for i, f := range files {
		total += len(f.Content)
		here := fmt.Sprintf("inputs[%d].path", i)
		c.path(here, f.Path)
		if n, taken := first[f.Path]; taken {
			c.add(here, fmt.Sprintf("is the same as inputs[%d].path", n))
		} else {
			first[f.Path] = i
		}
	}
	if total > MaxInputBytes {
		c.add("inputs", fmt.Sprintf("must be at most %d bytes together, not %d", MaxInputBytes, total))
	}
}

// path checks a path inside the container.
func (c *check) path(location, p string) {
	switch {
	case p == "":
		c.add(location, "is required")
	case len(p) > MaxPath:
		c.add(location, fmt.Sprintf("must be at most %d bytes", MaxPath))
	case !utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl):
		c.add(location, "must be valid UTF-8 without control characters")
	case path.Clean(p) != p || p == "." || p == ".." || strings.HasPrefix(p, "../"):
		c.add(location, "must be a plain path without . or .. or doubled or trailing slashes")
	case p == "/" && location != "workdir":
		c.add(location, "must name a file")
	}
}

// at locates an entry of a map. A key that would not stand in one line is
// quoted, a long one cut.
func at(field, key string) string {
	const limit = 64
	if len(key) > limit {
		key = strings.ToValidUTF8(key[:limit], "") + "…"
	}
	if strings.ContainsFunc(key, notInName) || !utf8.ValidString(key) {
		key = strconv.Quote(key)
	}
	return field + "." + key
}
