//go:build engine

package e2e

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"cloudai/master/client"
	"cloudai/proto/pb"
)

// hostileScalars are values that no field of that kind expects, or few.
func hostileScalars(kind protoreflect.Kind) (values []protoreflect.Value) {
	switch kind {
	case protoreflect.StringKind:
		for _, s := range []string{"", "\x00", "../../x", "a\nb\x1b]0;x\a", strings.Repeat("x", 1<<20), "NaN", "'--", "\u202e", "9"} {
			values = append(values, protoreflect.ValueOfString(s))
		}
	case protoreflect.BytesKind:
		for _, b := range [][]byte{nil, {0xff, 0}, make([]byte, 3<<20)} {
			values = append(values, protoreflect.ValueOfBytes(b))
		}
	case protoreflect.DoubleKind:
		for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, math.MaxFloat64, math.SmallestNonzeroFloat64} {
			values = append(values, protoreflect.ValueOfFloat64(x))
		}
	case protoreflect.Int32Kind:
		for _, x := range []int32{math.MinInt32, -1, 0, math.MaxInt32} {
			values = append(values, protoreflect.ValueOfInt32(x))
		}
	case protoreflect.Int64Kind:
		for _, x := range []int64{math.MinInt64, -1, 0, math.MaxInt64} {
			values = append(values, protoreflect.ValueOfInt64(x))
		}
	case protoreflect.Uint32Kind:
		values = append(values, protoreflect.ValueOfUint32(0), protoreflect.ValueOfUint32(math.MaxUint32))
	case protoreflect.Uint64Kind:
		values = append(values, protoreflect.ValueOfUint64(0), protoreflect.ValueOfUint64(math.MaxUint64))
	case protoreflect.BoolKind:
		values = append(values, protoreflect.ValueOfBool(true), protoreflect.ValueOfBool(false))
	case protoreflect.EnumKind:
		for _, x := range []protoreflect.EnumNumber{-1, 0, 10, 99, math.MaxInt32} {
			values = append(values, protoreflect.ValueOfEnum(x))
		}
	default:
	}
	return values
}

// repeats is how many elements a hostile list has.
const repeats = 5_000

// hostileChanges make one field of a message hostile, at whatever depth; the
// name says which and how.
func hostileChanges(of protoreflect.MessageDescriptor) map[string]func(root protoreflect.Message) {
	out := map[string]func(protoreflect.Message){}
	var spoil func(path string, at func(root protoreflect.Message) protoreflect.Message, of protoreflect.MessageDescriptor)
	spoil = func(path string, at func(protoreflect.Message) protoreflect.Message, of protoreflect.MessageDescriptor) {
		variant := func(what string, change func(protoreflect.Message)) {
			out[path+what] = func(root protoreflect.Message) { change(at(root)) }
		}
		for n := range of.Fields().Len() {
			f := of.Fields().Get(n)
			name := string(f.Name())
			switch {
			case f.IsMap():
				variant(name+": many", func(m protoreflect.Message) {
					all := m.Mutable(f).Map()
					for k := range repeats {
						all.Set(protoreflect.ValueOfString(fmt.Sprint("\x00", k)).MapKey(), protoreflect.ValueOfString("../x"))
					}
				})
			case f.IsList():
				variant(name+": many", func(m protoreflect.Message) {
					all := m.Mutable(f).List()
					for range repeats {
						if f.Kind() == protoreflect.MessageKind {
							all.AppendMutable()
						} else {
							all.Append(f.Default())
						}
					}
				})
				if f.Kind() == protoreflect.MessageKind {
					spoil(path+name+"[0].", func(root protoreflect.Message) protoreflect.Message {
						all := at(root).Mutable(f).List()
						if all.Len() == 0 {
							all.AppendMutable()
						}
						return all.Get(0).Message()
					}, f.Message())
				}
			case f.Kind() == protoreflect.MessageKind:
				variant(name+": absent", func(m protoreflect.Message) { m.Clear(f) })
				spoil(path+name+".", func(root protoreflect.Message) protoreflect.Message { return at(root).Mutable(f).Message() }, f.Message())
			default:
				for i, value := range hostileScalars(f.Kind()) {
					variant(fmt.Sprintf("%s: value %d", name, i), func(m protoreflect.Message) { m.Set(f, value) })
				}
			}
		}
	}
	spoil("", func(root protoreflect.Message) protoreflect.Message { return root }, of)
	return out
}

// sound are the answers that a hostile message may get.
var sound = []codes.Code{
	codes.OK, codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.Unauthenticated, codes.PermissionDenied,
	codes.AlreadyExists, codes.Aborted, codes.ResourceExhausted, codes.Unavailable,
}

// F23: every field of every message to the master with hostile values, and bytes
// that are no message. The master answers each as a refusal or does what is
// right, keeps its memory, serves others, and can read what it has kept.
func TestF23HostileMessages(t *testing.T) {
	w := newWorld(t, "HEARTBEAT_INTERVAL=10s", "HEARTBEAT_TIMEOUT=90s")
	w.fakeWorker(t, "w1", "WORKER_CPU=2")
	ann := w.register(t, "ann")
	s := w.scripted(t, "scripted")
	memory := resident(t, w.Master)
	b := w.watch(t, ann)
	tried, taken := 0, 0
	var task *pb.Task
	var ids []string
	fresh := func() {
		if task != nil {
			if now := w.task(t, task.GetTaskId()); now.Status == "assigned" || now.Status == "running" {
				return
			}
		}
		s.beat(t) // the last one may have said that it is ill, and then it gets nothing
		r := w.small("true")
		r.TargetWorkerID, r.CPURequired = "scripted", ptr(0.01)
		ids = append(ids, w.submit(t, r))
		task = s.take(t, ids[len(ids)-1])
	}
	for _, m := range methods("Master") {
		fresh()
		for what, change := range hostileChanges(m.Input()) {
			fresh()
			tried++
			in := s.good(t, m, task)
			change(in.ProtoReflect())
			if beat, ok := in.(*pb.Heartbeat); ok && !strings.HasPrefix(what, "number") {
				s.beats++
				beat.Number = s.beats
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			_, err := invoke(ctx, s.conn, m, in)
			cancel()
			if !slices.Contains(sound, status.Code(err)) {
				t.Errorf("%s, %s: %v", m.Name(), what, err)
			}
			if err == nil {
				taken++
			}
			if m.Name() == "SendHeartbeat" && (strings.HasPrefix(what, "number") || strings.HasPrefix(what, "leaving")) {
				s.renew(t, w, task)
			}
		}
		s.garbage(t, m)
	}
	b.end(t, 50, 3*time.Second)
	grown := resident(t, w.Master) - memory
	t.Logf("%d messages, %d of them answered well; the master grew by %d MiB", tried, taken, grown)
	if grown > 160 {
		t.Errorf("the master grew by %d MiB", grown)
	}
	if taken < 20 || taken > tried*9/10 {
		t.Errorf("%d of %d were answered well: the test says little", taken, tried)
	}
	w.readsWhatItKept(t, s, ids)
}

// renew has the worker counted on again: a new session counts its heartbeats
// from the beginning.
func (s *scripted) renew(t *testing.T, w *world, task *pb.Task) {
	t.Helper()
	s.session += "x"
	if _, err := s.master.RegisterWorker(t.Context(), s.info(s.running(task))); err != nil {
		t.Fatal(err)
	}
	s.beats = 0
	s.beat(t, s.running(task))
	await(t, verdict, func(ctx context.Context) error { return w.WorkerIs(ctx, s.id, "active") })
}

// good is a message that the master takes.
func (s *scripted) good(t *testing.T, m protoreflect.MethodDescriptor, task *pb.Task) proto.Message {
	switch m.Name() {
	case "RegisterWorker":
		in := s.info(s.running(task))
		s.extra++
		in.WorkerId = fmt.Sprintf("extra-%d", s.extra) // each is another worker, so that this one lives on
		return in
	case "SendHeartbeat":
		return &pb.Heartbeat{WorkerId: s.id, Session: s.session, Healthy: true, RunningTasks: []*pb.RunningTask{s.running(task)}}
	case "ReportTaskProgress":
		return &pb.TaskProgress{
			WorkerId: s.id, Session: s.session, TaskId: task.GetTaskId(), Attempt: task.GetAttempt(), Lease: task.GetLease(),
			States: []*pb.StateTime{{State: pb.TaskState_TASK_STATE_IMAGE_PULLED}},
		}
	case "ReportTaskCompletion":
		return s.result(task)
	case "UploadTaskFiles":
		return s.chunk(task, "x", "y")
	}
	return filled(t, m.Input(), nil) // a new call: nothing but what is hostile
}

// garbage sends bytes that are no message.
func (s *scripted) garbage(t *testing.T, m protoreflect.MethodDescriptor) {
	t.Helper()
	for _, raw := range [][]byte{{0xff}, []byte(strings.Repeat("\x0a\xff\xff\xff\xff\x0f", 100)), []byte(strings.Repeat("\x9a\x06", 1000)), {0x0a, 0x02, 0xff, 0xfe}} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		stream, err := s.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
			fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name()), grpc.ForceCodec(rawCodec{}))
		if err == nil {
			_ = stream.SendMsg(raw) // what the answer is shows below
			_ = stream.CloseSend()
			var out []byte
			err = stream.RecvMsg(&out)
		}
		cancel()
		if err == nil || status.Code(err) == codes.DeadlineExceeded {
			t.Errorf("%s with %.20q: %v", m.Name(), raw, err)
		}
	}
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (rawCodec) Name() string                  { return "proto" }
func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = data
	return nil
}

// readsWhatItKept reads everything that the hostile messages have left, before
// and after a crash, and brings the tasks to their ends.
func (w *world) readsWhatItKept(t *testing.T, s *scripted, ids []string) {
	t.Helper()
	look := func() {
		for _, id := range ids {
			w.task(t, id)
			w.events(t, id)
			if _, err := w.API().TaskFiles(t.Context(), id); err != nil {
				t.Errorf("files of %s: %v", id, err)
			}
		}
		for worker, err := range w.API().Workers(t.Context()) {
			must(t, err)
			if total := worker.Total; !(total.CPU >= 0 && total.CPU <= 1e6) || total.Memory < 0 {
				t.Errorf("worker %s has %+v", worker.WorkerID, total)
			}
		}
	}
	look()
	must(t, w.Master.Kill())
	must(t, w.StartMaster(t.Context()))
	look()
	for _, id := range ids {
		if now := w.task(t, id); !now.Terminal() {
			_, err := w.API().Cancel(t.Context(), id)
			must(t, err)
		}
	}
	if err := w.API().RemoveWorker(t.Context(), s.id, true); err != nil {
		t.Error(err)
	}
	for _, id := range ids {
		w.ended(t, id)
	}
	w.succeeded(t, w.submit(t, client.TaskRequest{DockerImage: "busybox", CPURequired: ptr(0.5), MemoryRequired: ptr[int64](64), StorageRequired: ptr[int64](64)}))
}
