package executor

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
)

// validName is what engines accept as a container's name.
var validName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// maxName keeps a name usable as a file name with a suffix.
const maxName = 240

// Name is the deterministic name of the attempt's container. It is an error
// when an id holds what a name must not.
func (k Key) Name() (string, error) {
	if k.ClusterID == "" || k.TaskID == "" || k.Lease == "" || k.Attempt < 1 {
		return "", fmt.Errorf("incomplete key: cluster %q, task %q, attempt %d, lease of %d bytes",
			k.ClusterID, k.TaskID, k.Attempt, len(k.Lease))
	}
	name := fmt.Sprintf("cloudai-%s-%s-%d", k.ClusterID, k.TaskID, k.Attempt)
	if len(name) > maxName || !validName.MatchString(name) {
		return "", fmt.Errorf("container name %q: letters, digits, '_', '.' and '-' only, at most %d of them", name, maxName)
	}
	return name, nil
}

// Labels are the container's labels, all six.
func (s Spec) Labels() (map[string]string, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encoding the spec: %w", err)
	}
	return map[string]string{
		LabelCluster: s.Key.ClusterID,
		LabelWorker:  s.WorkerID,
		LabelTask:    s.Key.TaskID,
		LabelAttempt: strconv.Itoa(s.Key.Attempt),
		LabelLease:   s.Key.Lease,
		LabelSpec:    string(data),
	}, nil
}

// SpecFromLabels is the inverse of Labels, for the fields that labels carry.
// It is an error when the labels are not those of a container of ours.
func SpecFromLabels(labels map[string]string) (Spec, error) {
	var s Spec
	if err := json.Unmarshal([]byte(labels[LabelSpec]), &s); err != nil {
		return Spec{}, fmt.Errorf("label %s: %w", LabelSpec, err)
	}
	attempt, err := strconv.Atoi(labels[LabelAttempt])
	if err != nil {
		return Spec{}, fmt.Errorf("label %s: %w", LabelAttempt, err)
	}
	s.WorkerID = labels[LabelWorker]
	s.Key = Key{
		ClusterID: labels[LabelCluster],
		TaskID:    labels[LabelTask],
		Attempt:   attempt,
		Lease:     labels[LabelLease],
	}
	return s, nil
}
