package http

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cloudai/master/client"
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/history"
)

// The steps that the history of the cluster may be cut into. Workers' histories
// go back an hour.
const (
	clusterStep = time.Minute
	leastStep   = time.Second
	mostStep    = time.Hour
)

type clusterMetricsInput struct {
	Since  time.Time `query:"since" doc:"From this time on; at most the last hour is known."`
	Step   string    `query:"step" doc:"Go style duration from 1s to 1h; default 1m." example:"1m"`
	Strict StrictQuery

	step time.Duration
}

// Resolve reads the step.
func (in *clusterMetricsInput) Resolve(huma.Context) []error {
	in.step = clusterStep
	if in.Step == "" {
		return nil
	}
	d, err := time.ParseDuration(in.Step)
	if err != nil || d < leastStep || d > mostStep {
		return []error{fault("step", "must be a duration from 1s to 1h, such as 1m")}
	}
	in.step = d
	return nil
}

func (s *Server) getClusterMetrics(ctx context.Context, in *clusterMetricsInput) (*struct{ Body client.ClusterMetrics }, error) {
	p := caller(ctx)
	workers, err := s.core.Workers(ctx, p)
	if err != nil {
		return nil, err
	}
	sums := map[int64]*client.ClusterSample{}
	if s.history != nil {
		addLooks(sums, s.history(), in.Since, in.step)
	}
	for _, w := range workers {
		_, samples, err := s.core.WorkerHistory(ctx, p, w.ID)
		if errors.Is(err, cluster.ErrNotFound) {
			continue // it has just been removed
		}
		if err != nil {
			return nil, err
		}
		addUse(sums, samples, in.Since, in.step)
	}
	body := client.ClusterMetrics{Step: in.step.String(), Samples: make([]client.ClusterSample, 0, len(sums))}
	for _, sum := range sums {
		body.Samples = append(body.Samples, *sum)
	}
	slices.SortFunc(body.Samples, func(a, b client.ClusterSample) int { return cmp.Compare(a.Time.UnixNano(), b.Time.UnixNano()) })
	return &struct{ Body client.ClusterMetrics }{body}, nil
}

// addUse adds one worker's use in each step, which is the mean of its samples
// there, to the sums.
func addUse(sums map[int64]*client.ClusterSample, samples []cluster.Sample, since time.Time, step time.Duration) {
	for len(samples) > 0 {
		at := samples[0].Time.UTC().Truncate(step)
		n := 0
		var mean cluster.Sample
		for n < len(samples) && samples[n].Time.UTC().Truncate(step).Equal(at) {
			mean.CPU += samples[n].CPU
			mean.Memory += samples[n].Memory
			mean.Storage += samples[n].Storage
			mean.GPU = max(mean.GPU, samples[n].GPU)
			n++
		}
		samples = samples[n:]
		if !at.Add(step).After(since) {
			continue
		}
		sum := stepOf(sums, at)
		sum.Workers++
		sum.CPU += mean.CPU / float64(n)
		sum.Memory += mean.Memory / int64(n)
		sum.Storage += mean.Storage / int64(n)
		sum.GPU += mean.GPU
	}
}

// stepOf is the sum of the step that begins at a time.
func stepOf(sums map[int64]*client.ClusterSample, at time.Time) *client.ClusterSample {
	sum := sums[at.UnixNano()]
	if sum == nil {
		sum = &client.ClusterSample{Time: at}
		sums[at.UnixNano()] = sum
	}
	return sum
}

// addLooks puts what was seen of the whole cluster into the steps: the last look
// of each, the longest wait, and all that ended.
func addLooks(sums map[int64]*client.ClusterSample, looks []history.Sample, since time.Time, step time.Duration) {
	for _, look := range looks {
		at := look.Time.UTC().Truncate(step)
		if !at.Add(step).After(since) {
			continue
		}
		sum := stepOf(sums, at)
		if sum.Ended == nil {
			sum.Ended, sum.Queue = &client.Ended{}, &client.QueueStep{Longest: "0s"}
		}
		total, allocated := resourcesOf(look.Total), resourcesOf(look.Allocated)
		sum.Total, sum.Allocated, sum.Queue.Length = &total, &allocated, look.Queue
		if before, _ := time.ParseDuration(sum.Queue.Longest); look.Waited > before {
			sum.Queue.Longest = look.Waited.Round(time.Millisecond).String()
		}
		sum.Ended.Succeeded += look.Ended.Succeeded
		sum.Ended.Failed += look.Ended.Failed
		sum.Ended.Cancelled += look.Ended.Cancelled
	}
}
