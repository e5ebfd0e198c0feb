package http

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	nethttp "net/http"
	"unicode/utf8"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/coordinator"
)

// maxBatchValues is how many values all tasks of a batch may have together: each
// costs some memory, however short it is.
const maxBatchValues = 2_000_000

// batchBody is what a batch's body says.
type batchBody struct {
	atomic  bool
	entries []coordinator.BatchEntry
	print   string // equal for equal batches; empty unless it was asked for
}

// batchReader reads the body of a batch task by task, so that it takes little
// more memory than what comes of it.
type batchReader struct {
	dec    *json.Decoder
	body   batchBody
	faults []cluster.FieldError // of the whole
	seen   map[string]bool
	print  hash.Hash // of the tasks; nil: nobody asks
	values int       // in all tasks, and how many there may be
	most   int
	named  int // faults of tasks
}

// errEnough ends the reading: there are more faults than are listed.
var errEnough = errors.New("there is enough to complain about")

// decodeBatch reads a batch as strictly as any body. What is wrong within a task
// is its entry's; the error is what is wrong with the whole. Only a request with a
// key needs the print. most is how many values all tasks may have together.
func decodeBatch(raw []byte, keyed bool, most int) (batchBody, error) {
	b := &batchReader{dec: json.NewDecoder(bytes.NewReader(raw)), seen: map[string]bool{}, most: most}
	if keyed {
		b.print = sha256.New()
	}
	err := errors.New("it is not UTF-8")
	if utf8.Valid(raw) {
		err = b.read()
	}
	var refused *cluster.InvalidError
	switch {
	case errors.As(err, &refused):
		return batchBody{}, err
	case err != nil && !errors.Is(err, errEnough):
		return batchBody{}, newProblem(nethttp.StatusBadRequest, fmt.Sprintf("%v: %v", errMalformed, plainSyntax(err)))
	case len(b.faults) > 0:
		for i, entry := range b.body.entries {
			for _, f := range entry.Faults {
				b.fault(coordinator.InBatch(i, f.Location), f.Message)
			}
		}
		return batchBody{}, &cluster.InvalidError{Fields: b.faults}
	}
	if keyed {
		_, _ = fmt.Fprintf(b.print, "%t", b.body.atomic) // a hash takes all
		b.body.print = hex.EncodeToString(b.print.Sum(nil))
	}
	return b.body, nil
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
		if len(b.faults) >= maxFaults {
			return errEnough
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
	case string(value) != "null" && json.Unmarshal(value, &b.body.atomic) != nil:
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
	var raw json.RawMessage // used again for each
	for b.dec.More() {
		if len(b.body.entries) == coordinator.MaxBatch {
			return cluster.Invalid("tasks", fmt.Sprintf("must be at most %d", coordinator.MaxBatch))
		}
		if err := b.dec.Decode(&raw); err != nil {
			return err
		}
		if err := b.task(raw); err != nil {
			return err
		}
	}
	_, err = b.dec.Token()
	return err
}

// task reads one task; one that is no object at all is wrong like any other, as
// is one that would be too large alone.
func (b *batchReader) task(raw []byte) error {
	if len(raw) > maxTaskBody {
		return b.add(raw, client.TaskRequest{}, coordinator.BatchEntry{
			Faults: []cluster.FieldError{{Message: fmt.Sprintf("is larger than %d bytes", maxTaskBody)}},
		})
	}
	body, request, values, err := taskRequest(raw, maxValues)
	if b.values += values; b.values > b.most {
		return cluster.Invalid("tasks", fmt.Sprintf("must have at most %d values together; send them in several requests", b.most))
	}
	faults := cluster.FaultsOf(err)
	var whole *Problem
	if errors.As(err, &whole) {
		faults = []cluster.FieldError{{Message: whole.Detail}}
	}
	if len(faults) > 0 { // the rest of it is not looked at any more
		request = cluster.TaskRequest{}
	}
	return b.add(raw, body, coordinator.BatchEntry{Request: request, Faults: faults})
}

// add takes a task in. For the print it is what it was decoded to; when it is
// wrong also its bytes, since what is wrong does not decode.
func (b *batchReader) add(raw []byte, body client.TaskRequest, entry coordinator.BatchEntry) error {
	entry.Faults = coordinator.FewFaults(entry.Faults, &b.named)
	b.body.entries = append(b.body.entries, entry)
	if b.print == nil {
		return nil
	}
	if len(entry.Faults) > 0 {
		_, _ = b.print.Write(raw) // a hash takes all
	}
	return json.NewEncoder(b.print).Encode(body)
}
