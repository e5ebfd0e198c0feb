package embedded

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"cloudai/master/internal/cluster"
)

// labelPair is how one label stands in the labels column; quoting leaves no
// line break within it.
func labelPair(key, value string) string {
	return "\n" + strconv.Quote(key) + ":" + strconv.Quote(value) + "\n"
}

// labelsColumn holds every label as labelPair writes it.
func labelsColumn(labels map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(labelPair(k, labels[k]))
	}
	return b.String()
}

// searchColumn holds what TaskFilter.Text looks into, in lower case. The byte
// between its parts is in no UTF-8 text, so nothing is found across them.
func searchColumn(t *cluster.Task) []byte {
	parts := []string{t.Spec.Name, t.Spec.Image, t.Spec.Command, string(t.ID)}
	for i, part := range parts {
		parts[i] = strings.ToLower(part)
	}
	return []byte(strings.Join(parts, "\xff"))
}
