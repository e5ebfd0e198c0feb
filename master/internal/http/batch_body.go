package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"unicode/utf8"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

// batchReader reads the body of a batch task by task, so that it takes little
// more memory than what comes of it.
type batchReader struct {
	dec     *json.Decoder
	body    client.BatchRequest
	entries []coordinator.BatchEntry
	faults  []cluster.FieldError
	seen    map[string]bool
}

// decodeBatch reads a batch as strictly as any body. What is wrong within a task
// is its entry's; the error is what is wrong with the whole.
func decodeBatch(raw []byte) (client.BatchRequest, []coordinator.BatchEntry, error) {
	b := &batchReader{dec: json.NewDecoder(bytes.NewReader(raw)), seen: map[string]bool{}}
	err := errors.New("it is not UTF-8")
	if utf8.Valid(raw) {
		err = b.read()
	}
	var refused *cluster.InvalidError
	switch {
	case errors.As(err, &refused):
		return b.body, nil, err
	case err != nil:
		return b.body, nil, newProblem(nethttp.StatusBadRequest, fmt.Sprintf("%v: %v", errMalformed, plainSyntax(err)))
	case len(b.faults) > 0:
		for i, entry := range b.entries {
			for _, f := range entry.Faults {
				b.fault(coordinator.InBatch(i, f.Location), f.Message)
			}
		}
		return b.body, nil, &cluster.InvalidError{Fields: b.faults}
	}
	return b.body, b.entries, nil
}

func (b *batchReader) fault(location, message string) {
	if len(b.faults) < maxFaults {
		b.faults = append(b.faults, cluster.FieldError{Location: location, Message: message})
	}
}

func (b *batchReader) read() error {
	if err := b.delim('{', "it must be an object in braces"); err != nil {
		return err
	}
	for b.dec.More() {
		token, err := b.dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string) // what follows { is a string or an error
		if err := b.member(key); err != nil {
			return err
		}
	}
	if _, err := b.dec.Token(); err != nil {
		return err
	}
	if _, err := b.dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the document")
	}
	return nil
}

func (b *batchReader) delim(want json.Delim, otherwise string) error {
	token, err := b.dec.Token()
	if err == nil && token != want {
		err = errors.New(otherwise)
	}
	return err
}

func (b *batchReader) member(key string) error {
	again := b.seen[key]
	b.seen[key] = true
	if again {
		b.fault(within("", key), "is there more than once")
	}
	if key == "tasks" && !again {
		return b.tasks()
	}
	var value json.RawMessage
	if err := b.dec.Decode(&value); err != nil {
		return err
	}
	switch {
	case again:
	case key != "atomic":
		b.fault(within("", key), "is not known here")
	case string(value) != "null" && json.Unmarshal(value, &b.body.Atomic) != nil:
		b.fault(key, "must be true or false")
	}
	return nil
}

func (b *batchReader) tasks() error {
	token, err := b.dec.Token()
	if err != nil {
		return err
	}
	if token != json.Delim('[') {
		return cluster.Invalid("tasks", "must be a list")
	}
	for b.dec.More() {
		if len(b.entries) == coordinator.MaxBatch {
			return cluster.Invalid("tasks", fmt.Sprintf("must be at most %d", coordinator.MaxBatch))
		}
		var raw json.RawMessage
		if err := b.dec.Decode(&raw); err != nil {
			return err
		}
		b.task(raw)
	}
	_, err = b.dec.Token()
	return err
}

// task reads one task; one that is no object at all is wrong like any other.
func (b *batchReader) task(raw []byte) {
	body, request, err := taskRequest(raw)
	faults := cluster.FaultsOf(err)
	var malformed *Problem
	if errors.As(err, &malformed) {
		faults = []cluster.FieldError{{Message: malformed.Detail}}
	}
	b.body.Tasks = append(b.body.Tasks, body)
	b.entries = append(b.entries, coordinator.BatchEntry{Request: request, Faults: faults})
}
