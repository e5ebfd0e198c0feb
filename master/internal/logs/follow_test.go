package logs

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloudai/master/internal/cluster"
)

// script is a worker whose log is known and whose connection breaks as told.
type script struct {
	mu      sync.Mutex
	data    string // of stdout
	ended   bool   // no more will come
	grown   chan struct{}
	calls   []call
	breaks  int  // so many streams end with an error, after one piece each
	unheard bool // calls hang
}

type call struct {
	at   time.Time
	to   cluster.Target
	from cluster.LogOffsets
}

var errBroken = errors.New("connection broken")

func (s *script) StreamLogs(ctx context.Context, to cluster.Target, _ cluster.AttemptRef, from cluster.LogOffsets,
	sink func([]cluster.LogChunk) error,
) (*cluster.LogOffsets, error) {
	s.mu.Lock()
	s.calls = append(s.calls, call{time.Now(), to, from})
	unheard := s.unheard
	s.mu.Unlock()
	if unheard {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	at := int(from.Stdout)
	for {
		s.mu.Lock()
		if s.grown == nil {
			s.grown = make(chan struct{})
		}
		data, ended, grown := s.data, s.ended, s.grown
		broken := s.breaks > 0
		if broken {
			s.breaks--
		}
		s.mu.Unlock()
		if n := min(3, len(data)-at); n > 0 {
			if err := sink([]cluster.LogChunk{stdout(int64(at), data[at:at+n])}); err != nil {
				return nil, err
			}
			at += n
		} else if ended {
			return &cluster.LogOffsets{Stdout: int64(len(data))}, nil
		} else if !broken {
			select {
			case <-grown:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		if broken {
			return nil, errBroken
		}
	}
}

func (s *script) grow(data string, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data += data
	s.ended = ended
	if s.grown != nil {
		close(s.grown)
		s.grown = nil
	}
}

func (s *script) seen() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]call(nil), s.calls...)
}

// following runs a keeper with the script in a bubble.
func following(t *testing.T, s *script, f func(t *testing.T, k *Keeper)) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(t, t.TempDir(), func(c *Config) { c.Source = s })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.Run(ctx) }()
		f(t, k)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if len(k.followers) != 0 {
			t.Fatalf("%d followers left", len(k.followers))
		}
	})
}

var worker = cluster.Target{WorkerID: "w1", Session: "s1", Address: "a:1"}

func TestFollowerResumesAfterEachBreak(t *testing.T) {
	s := &script{breaks: 6}
	following(t, s, func(t *testing.T, k *Keeper) {
		s.grow("0123456789", false)
		k.Follow(anyRef, worker)
		time.Sleep(time.Minute)
		synctest.Wait()
		s.grow("abc\n", true)
		synctest.Wait()
		if got := text(t, k, anyRef, ReadOptions{}); got != "0123456789abc\n" {
			t.Fatalf("got %q", got)
		}
		if len(k.followers) != 0 {
			t.Fatal("it goes on after the log is complete")
		}
		mustFinish(t, k, anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 14}})
	})
	var waits []time.Duration
	calls := s.seen()
	for i, c := range calls {
		if want := min(int64(i)*3, 10); c.from.Stdout != want {
			t.Errorf("call %d begins at %d, want %d", i, c.from.Stdout, want)
		}
		if i > 0 {
			waits = append(waits, c.at.Sub(calls[i-1].at))
		}
	}
	if len(waits) != 6 {
		t.Fatalf("waits %v, want 6", waits)
	}
	for i, w := range waits {
		// The first three tries moved bytes, as did the one after it.
		least := firstRetry / 2
		if i > 3 {
			least = firstRetry << (i - 3) / 2
		}
		if w < least || w > 3*least {
			t.Errorf("wait %d is %v, want %v to %v", i, w, least, 3*least)
		}
	}
}

func TestFollowMovesToANewTarget(t *testing.T) {
	s := &script{unheard: true}
	following(t, s, func(t *testing.T, k *Keeper) {
		k.Follow(anyRef, worker)
		synctest.Wait()
		s.mu.Lock()
		s.unheard = false
		s.mu.Unlock()
		s.grow("x\n", true)
		k.Follow(anyRef, worker) // the same: nothing happens
		synctest.Wait()
		if n := len(s.seen()); n != 1 {
			t.Fatalf("%d calls, want 1", n)
		}
		moved := worker
		moved.Session = "s2"
		k.Follow(anyRef, moved)
		time.Sleep(time.Second)
		synctest.Wait()
		if calls := s.seen(); len(calls) != 2 || calls[1].to != moved {
			t.Fatalf("calls %+v", calls)
		}
		mustFinish(t, k, anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 2}})
	})
}

func TestFinishWaitsForAFollowerThatMoves(t *testing.T) {
	s := &script{}
	following(t, s, func(t *testing.T, k *Keeper) {
		k.Follow(anyRef, worker)
		synctest.Wait()
		go func() {
			for range 5 {
				time.Sleep(200 * time.Millisecond)
				s.grow("0123456789", false)
			}
		}()
		mustFinish(t, k, anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 50}})
		if got := text(t, k, anyRef, ReadOptions{}); got != strings.Repeat("0123456789", 5) {
			t.Fatalf("got %q", got)
		}
	})
}

func TestFinishAsksWhenTheFollowerIsStuck(t *testing.T) {
	s := &script{unheard: true}
	following(t, s, func(t *testing.T, k *Keeper) {
		k.Follow(anyRef, worker)
		synctest.Wait()
		began := time.Now()
		need, err := k.Finish(t.Context(), anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 5}})
		if err != nil || need == nil || *need != (cluster.LogOffsets{}) {
			t.Fatalf("need %v, %v", need, err)
		}
		if waited := time.Since(began); waited != 250*time.Millisecond {
			t.Fatalf("waited %v", waited)
		}
		mustFinish(t, k, anyRef, cluster.LogEnd{Length: cluster.LogOffsets{Stdout: 5}, Lost: true})
		if got, want := text(t, k, anyRef, ReadOptions{}), "[cloudai] 5 bytes of stdout were dropped\n"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestFollowEndsWithTheLog(t *testing.T) {
	tests := map[string]func(*Keeper) error{
		"finish": func(k *Keeper) error {
			_, err := k.Finish(context.Background(), anyRef, cluster.LogEnd{})
			return err
		},
		"abandon": func(k *Keeper) error { return k.Abandon(context.Background(), anyRef, "lost") },
		"remove":  func(k *Keeper) error { return k.Remove(context.Background(), anyRef.TaskID) },
	}
	for name, end := range tests {
		for _, started := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				following(t, &script{unheard: true}, func(t *testing.T, k *Keeper) {
					k.Follow(anyRef, worker)
					if started {
						synctest.Wait()
					}
					if err := end(k); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					if len(k.followers)+len(k.logs) != 0 {
						t.Fatalf("%d followers and %d logs left", len(k.followers), len(k.logs))
					}
				})
			})
		}
	}
}

func TestFollowBeforeRun(t *testing.T) {
	s := &script{}
	s.grow("early\n", true)
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(t, t.TempDir(), func(c *Config) { c.Source, c.FollowDelay = s, time.Second })
		k.Follow(anyRef, worker)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = k.Run(ctx) })
		synctest.Wait()
		if n := len(s.seen()); n != 0 {
			t.Fatalf("%d calls before the delay is over", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := text(t, k, anyRef, ReadOptions{}); got != "early\n" {
			t.Fatalf("got %q", got)
		}
		cancel()
		wg.Wait()
	})
}

// TestManyLogsAtOnce lets followers, pushes, readers and ends of many attempts
// meet, and looks that nothing is left of them in memory.
func TestManyLogsAtOnce(t *testing.T) {
	s := &script{}
	const body = "0123456789\nabcdefghij\n"
	s.grow(body, true)
	k := newKeeper(t, t.TempDir(), func(c *Config) { c.Source = s })
	ctx, cancel := context.WithCancel(t.Context())
	var run, wg sync.WaitGroup
	run.Go(func() { _ = k.Run(ctx) })
	for i := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 9))
			for attempt := range 20 {
				ref := cluster.AttemptRef{TaskID: cluster.TaskID(rune('a' + i)), Attempt: attempt}
				if rng.IntN(3) > 0 {
					k.Follow(ref, worker)
				}
				wg.Go(func() {
					recs, err := records(ctx, k, ref, ReadOptions{Follow: true})
					n := 0
					for _, r := range recs {
						n += len(r.Data)
					}
					if err != nil || n != len(body) {
						t.Errorf("%v: %d bytes, %v", ref, n, err)
					}
				})
				if rng.IntN(2) == 0 {
					if err := k.Append(ref, []cluster.LogChunk{stdout(0, body[:5])}); err != nil {
						t.Error(err)
					}
				}
				end := cluster.LogEnd{Length: cluster.LogOffsets{Stdout: int64(len(body))}, Tail: []cluster.LogChunk{stdout(0, body)}}
				if need, err := k.Finish(ctx, ref, end); err != nil || need != nil {
					t.Errorf("%v: need %v, %v", ref, need, err)
				}
			}
		})
	}
	wg.Wait()
	cancel()
	run.Wait()
	if len(k.logs)+len(k.followers) != 0 {
		t.Fatalf("%d logs and %d followers left", len(k.logs), len(k.followers))
	}
}
