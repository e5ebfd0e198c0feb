package client_test

import (
	"errors"
	"testing"

	"cloudai/master/client"
)

// A list of ids that has come out empty stops nothing: it is not the filter
// that takes every task.
func TestCancelNothing(t *testing.T) {
	m := start(t)
	c := connect(t, client.Options{Socket: m.socket})
	_, err := c.Submit(t.Context(), anyTask)
	must(t, err)
	for _, filter := range []client.CancelFilter{{TaskIDs: []string{}}, {Status: []string{}}, {Labels: map[string]string{}}} {
		reply, err := c.CancelTasks(t.Context(), client.CancelRequest{Filter: &filter})
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Status != 422 || len(refused.Fields) != 1 {
			t.Errorf("%+v: %+v, %v", filter, reply, err)
		}
	}
}
