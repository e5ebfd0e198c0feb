package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
	"cloudai/master/internal/db/storetest"
	"cloudai/master/internal/retention"
	"cloudai/master/internal/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	ann   = cluster.Principal{UserID: "ann", Role: cluster.RoleUser}
	bob   = cluster.Principal{UserID: "bob", Role: cluster.RoleUser}
	admin = cluster.Principal{UserID: cluster.LocalUser, Role: cluster.RoleAdmin}
)

// shakyStore is the reference store with a hand on its answers.
type shakyStore struct {
	*storetest.Memory
	mu     sync.Mutex
	commit func(writes []db.Write) []error // nil: as the memory does
	put    error                           // of PutWorker
	putKey error                           // of PutKey
	read   error                           // of Task
	away   time.Duration                   // how long the next ActiveTasks takes
}

func (s *shakyStore) ActiveTasks(ctx context.Context, yield func(cluster.Task) error) error {
	s.mu.Lock()
	away := s.away
	s.away = 0
	s.mu.Unlock()
	time.Sleep(away) // of the bubble's clock
	return s.Memory.ActiveTasks(ctx, yield)
}

func (s *shakyStore) Commit(ctx context.Context, writes []db.Write) []error {
	s.mu.Lock()
	f := s.commit
	s.mu.Unlock()
	if f != nil {
		if errs := f(writes); errs != nil {
			return errs
		}
	}
	return s.Memory.Commit(ctx, writes)
}

func (s *shakyStore) PutWorker(ctx context.Context, w cluster.Worker) error {
	s.mu.Lock()
	err := s.put
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Memory.PutWorker(ctx, w)
}

func (s *shakyStore) PutKey(ctx context.Context, k db.Key) error {
	s.mu.Lock()
	err := s.putKey
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Memory.PutKey(ctx, k)
}

func (s *shakyStore) Task(ctx context.Context, id cluster.TaskID) (cluster.Task, error) {
	s.mu.Lock()
	err := s.read
	s.mu.Unlock()
	if err != nil {
		return cluster.Task{}, err
	}
	return s.Memory.Task(ctx, id)
}

func (s *shakyStore) set(change func(*shakyStore)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// fail answers the next commit with err; kept: after carrying it out.
func (s *shakyStore) fail(err error, kept bool) {
	s.set(func(s *shakyStore) {
		s.commit = func(writes []db.Write) []error {
			s.set(func(s *shakyStore) { s.commit = nil })
			if kept {
				s.Memory.Commit(context.Background(), writes)
			}
			return slices.Repeat([]error{err}, len(writes))
		}
	})
}

// scriptClient is workers that answer as the test says.
type scriptClient struct {
	mu      sync.Mutex
	orders  []Order
	cancels []cluster.AttemptRef
	hellos  []Target
	assign  func(Target, Order) error
	hello   func(Target) (Hello, error)
	intro   func(address string) (Hello, error)
}

func (c *scriptClient) Introduce(_ context.Context, _ cluster.WorkerID, address string) (Hello, error) {
	return c.intro(address)
}

func (c *scriptClient) Hello(_ context.Context, to Target) (Hello, error) {
	c.mu.Lock()
	c.hellos = append(c.hellos, to)
	f := c.hello
	c.mu.Unlock()
	if f != nil {
		return f(to)
	}
	return Hello{WorkerID: to.WorkerID, Session: to.Session}, nil
}

func (c *scriptClient) Assign(_ context.Context, to Target, o Order) error {
	c.mu.Lock()
	c.orders = append(c.orders, o)
	f := c.assign
	c.mu.Unlock()
	if f != nil {
		return f(to, o)
	}
	return nil
}

func (c *scriptClient) Cancel(_ context.Context, _ Target, ref cluster.AttemptRef) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancels = append(c.cancels, ref)
	return nil
}

func (c *scriptClient) Forget(cluster.WorkerID) {}

func (c *scriptClient) order(t *testing.T, n int) Order {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.orders) <= n {
		t.Fatalf("%d assignments were sent, want %d", len(c.orders), n+1)
	}
	return c.orders[n]
}

// noteKeeper notes what the core wants of logs and files.
type noteKeeper struct {
	mu        sync.Mutex
	notes     []string
	need      *cluster.LogOffsets
	full      bool                        // no log can be ended
	lost      map[cluster.AttemptRef]bool // whose logs were ended
	publish   error
	use       map[cluster.UserID]cluster.FileUse
	reading   cluster.TaskID // somebody reads log and files of it
	sweptLogs func(ctx context.Context, keeps func(context.Context, cluster.TaskID) (bool, error))
	swept     func(live func(cluster.TaskID) (cluster.Placed, bool), committed func(context.Context, cluster.TaskID) (int64, bool, error))
}

func (k *noteKeeper) note(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.notes = append(k.notes, fmt.Sprintf(format, args...))
}

func (k *noteKeeper) noted() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.notes)
}

func (k *noteKeeper) count(note string) (n int) {
	for _, s := range k.noted() {
		if s == note {
			n++
		}
	}
	return n
}

func (k *noteKeeper) Follow(ref cluster.AttemptRef, _ Target)             { k.note("follow %d", ref.Attempt) }
func (k *noteKeeper) Append(cluster.AttemptRef, []cluster.LogChunk) error { return nil }
func (k *noteKeeper) Offsets(cluster.AttemptRef) (at cluster.LogOffsets)  { return at }
func (k *noteKeeper) Size(cluster.AttemptRef) int64                       { return 77 }
func (k *noteKeeper) Abandon(_ context.Context, ref cluster.AttemptRef, _ string) error {
	k.note("abandon %d", ref.Attempt)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.full {
		return cluster.ErrQuota
	}
	k.lost[ref] = true
	return nil
}

func (k *noteKeeper) Abandoned(ref cluster.AttemptRef) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lost[ref]
}

func (k *noteKeeper) Finish(_ context.Context, ref cluster.AttemptRef, _ LogEnd) (*cluster.LogOffsets, error) {
	k.note("finish %d", ref.Attempt)
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.need, nil
}

func (k *noteKeeper) Publish(_ context.Context, _ cluster.UserID, ref cluster.AttemptRef, m Manifest) ([]cluster.File, error) {
	k.mu.Lock()
	err := k.publish
	k.mu.Unlock()
	k.note("publish %d", ref.Attempt)
	if err != nil {
		return nil, err
	}
	return m.Files, nil
}

func (k *noteKeeper) Retract(_ cluster.UserID, ref cluster.AttemptRef) error {
	k.note("retract %d", ref.Attempt)
	return nil
}

func (k *noteKeeper) Discard(ref cluster.AttemptRef) error {
	k.note("discard %d", ref.Attempt)
	return nil
}

func (k *noteKeeper) LogsRead(id cluster.TaskID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reading == id
}

func (k *noteKeeper) FilesRead(_ cluster.UserID, id cluster.TaskID) bool { return k.LogsRead(id) }

func (k *noteKeeper) LogsSize(cluster.TaskID) (int64, error) { return 77, nil }

func (k *noteKeeper) RemoveLogs(_ context.Context, id cluster.TaskID) error {
	k.note("remove logs of %s", id)
	return nil
}

func (k *noteKeeper) RemoveUnread(_ cluster.UserID, id cluster.TaskID) error {
	k.note("remove files of %s", id)
	return nil
}

func (k *noteKeeper) SweepLogs(ctx context.Context, keeps func(context.Context, cluster.TaskID) (bool, error)) error {
	if k.sweptLogs != nil {
		k.sweptLogs(ctx, keeps)
	}
	return nil
}

func (k *noteKeeper) Use(user cluster.UserID) cluster.FileUse {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.use[user]
}

func (k *noteKeeper) set(user cluster.UserID, use cluster.FileUse) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.use == nil {
		k.use = map[cluster.UserID]cluster.FileUse{}
	}
	k.use[user] = use
}

func (k *noteKeeper) RemoveTask(cluster.UserID, cluster.TaskID) error {
	k.note("remove")
	return nil
}

func (k *noteKeeper) Sweep(_ context.Context, live func(cluster.TaskID) (cluster.Placed, bool), committed func(context.Context, cluster.TaskID) (int64, bool, error)) error {
	if k.swept != nil {
		k.swept(live, committed)
	}
	return nil
}

// rig is a Coordinator among scripted neighbors, inside a synctest bubble.
type rig struct {
	t      *testing.T
	store  *shakyStore
	client *scriptClient
	keeper *noteKeeper
	c      *Coordinator
	log    slog.Handler // of the next start
	via    db.Store     // of the next start; nil: store itself
	keep   retention.Policy
	policy scheduler.Policy // of the next start; nil: round-robin
	now    Clock            // of the next start; nil: the bubble's
	cancel context.CancelFunc
	ended  chan error
}

// bubble runs a test of the driver with a clock of its own.
func bubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{
			t: t, store: &shakyStore{Memory: storetest.NewMemory()}, client: &scriptClient{},
			keeper: &noteKeeper{lost: map[cluster.AttemptRef]bool{}}, log: slog.DiscardHandler,
		}
		r.start()
		defer func() { _ = r.stop() }()
		test(t, r)
	})
}

func (r *rig) start() {
	r.t.Helper()
	store := r.via
	if store == nil {
		store = r.store
	}
	policy := r.policy
	if policy == nil {
		policy = scheduler.RoundRobin{}
	}
	r.c = New(Config{
		Store: store, Client: r.client, Logs: r.keeper, Files: r.keeper, Policy: policy,
		Log: slog.New(r.log), ClusterID: "c",
		HeartbeatInterval: 5 * time.Second, HeartbeatTimeout: 15 * time.Second,
		Retention: r.keep,
	})
	if r.now != nil {
		r.c.now = r.now
	}
	if err := r.c.Recover(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.run()
}

func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.ended = cancel, make(chan error, 1)
	c, ended := r.c, r.ended
	go func() { ended <- c.Run(ctx) }()
}

// through is a stop and the next life, which reaches the store by another.
func (r *rig) through(store db.Store) {
	r.t.Helper()
	_ = r.stop()
	r.via = store
	r.start()
}

func (r *rig) stop() error {
	r.cancel()
	err := <-r.ended
	r.ended <- err
	return err
}

// restart is a crash and the next life on what was stored.
func (r *rig) restart() {
	r.t.Helper()
	_ = r.stop()
	r.store.set(func(s *shakyStore) { s.Memory, s.commit, s.put, s.read = s.Memory.Reopen(), nil, nil, nil })
	r.start()
}

func (r *rig) join(id cluster.WorkerID, session string, running ...cluster.RunningAttempt) RegisterReply {
	r.t.Helper()
	reply, err := r.c.Register(r.t.Context(), Registration{
		Caller: from(id, session), Address: "host:1", Running: running,
		Total: cluster.Resources{CPU: 4, Memory: 4096, Storage: 4096},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
	return reply
}

func (r *rig) submit() cluster.TaskID {
	r.t.Helper()
	v, err := r.c.Submit(r.t.Context(), ann, cluster.TaskRequest{Image: "i"}, Once{})
	if err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
	return v.ID
}

func (r *rig) beat(id cluster.WorkerID, session string, number uint64, change ...func(*Heartbeat)) (HeartbeatReply, error) {
	h := Heartbeat{Caller: from(id, session), Number: number, Healthy: true}
	for _, c := range change {
		c(&h)
	}
	reply, err := r.c.Heartbeat(r.t.Context(), h)
	synctest.Wait()
	return reply, err
}

func (r *rig) task(id cluster.TaskID) cluster.Task {
	r.t.Helper()
	v, err := r.c.Task(r.t.Context(), admin, id)
	if err != nil {
		r.t.Fatal(err)
	}
	return v.Task
}

// success is the report of a container that ended with 0 and left a file.
func success(ref cluster.AttemptRef, session string) Completion {
	code := 0
	return Completion{
		Caller: from("w", session), Ref: ref, Outcome: cluster.OutcomeSuccess,
		Observation: cluster.Observation{
			States: upTo(cluster.StateReportResult, time.Now()), Outcome: cluster.OutcomeSuccess, ExitCode: &code,
		},
		Manifest: Manifest{Files: []cluster.File{{Path: "f", Size: 3, SHA256: "00"}}},
	}
}

func (r *rig) complete(ref cluster.AttemptRef, session string) error {
	_, err := r.c.Complete(r.t.Context(), success(ref, session))
	synctest.Wait()
	return err
}

func (r *rig) wantErr(what string, err, want error) {
	r.t.Helper()
	if !errors.Is(err, want) {
		r.t.Fatalf("%s: %v, want %v", what, err, want)
	}
}
