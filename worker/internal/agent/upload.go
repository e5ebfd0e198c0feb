package agent

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"time"

	"cloudai/proto/pb"
	"cloudai/proto/transport"
)

// uploadStall ends a stream that takes no more bytes, so that a new one can
// be tried.
const uploadStall = time.Minute

// upload sends what the master has not got of the attempt's files, with
// constant memory. An upload that was broken off goes on where the master's
// copy ends.
func (a *Agent) upload(ctx context.Context, x Upload) feedback {
	defer enter(ctx, a.limits.uploads)()
	u := uploading{agent: a, job: x}
	u.reply.Files = append([]File(nil), x.Files...)
	for _, f := range x.Files {
		u.total += f.Size
	}
	u.report = a.throttle(func(done, total int64) feedback {
		return func(m *Machine, now time.Time) []Action { return m.Uploading(now, x.Ref, done, total) }
	})
	u.reply.Reply = replyOf(u.run(ctx))
	u.nameTheRest()
	return func(m *Machine, now time.Time) []Action { return m.Uploaded(now, x.Ref, u.reply) }
}

// uploading is one try at an attempt's files.
type uploading struct {
	agent  *Agent
	job    Upload
	have   map[string]*pb.UploadedFile // at the master
	room   int64                       // bytes that it takes beyond these; negative: no bound
	reply  UploadReply
	done   int64
	total  int64
	report func(done, total int64)

	skippedBytes int
	unnamed      int // skipped beyond the bound
}

// run sends until the master has all that it takes. A file that it refuses is
// left out, and the others go on.
func (u *uploading) run(ctx context.Context) error {
	if err := u.query(ctx); err != nil {
		return err
	}
	for refusals := 0; ; {
		sent := u.sendMissing(ctx)
		refused := sent != nil && replyOf(sent).Code == ReplyQuota
		if sent != nil && !refused {
			return sent
		}
		// What it has now decides, be the stream finished or refused.
		if err := u.query(ctx); err != nil {
			return err
		}
		if !refused {
			return u.complete()
		}
		refusals++
		u.leaveOut(replyOf(sent).Message, refusals == maxRefusals)
	}
}

func (u *uploading) complete() error {
	for _, f := range u.reply.Files {
		if !u.whole(f) {
			return fmt.Errorf("the master has not all of %q", f.Path)
		}
	}
	return nil
}

// whole reports whether the master has all of a file.
func (u *uploading) whole(f File) bool {
	h := u.have[f.Path]
	return h.GetComplete() && h.GetReceived() == f.Size
}

// query asks what the master has, page by page.
func (u *uploading) query(ctx context.Context) error {
	have := make(map[string]*pb.UploadedFile)
	for after, more := "", true; more; {
		out, err := u.agent.openUpload(ctx, u.job.Ref, u.job.UserID)
		if err != nil {
			return err
		}
		_ = out.send(&pb.FileChunk{Kind: pb.FileChunk_QUERY, FilePath: after}) // finish tells why it failed
		ack, err := out.finish()
		out.close()
		if err != nil {
			return err
		}
		more = ack.GetMore() && len(ack.GetFiles()) > 0
		u.room = -1
		if ack.GetBounded() {
			u.room = ack.GetRoom()
		}
		for _, f := range ack.GetFiles() {
			have[f.GetPath()], after = f, f.GetPath()
		}
	}
	u.have = have
	return nil
}

// sendMissing goes through all files: those that are complete at the master
// are only read for their hash, and those that cannot be read are left out.
func (u *uploading) sendMissing(ctx context.Context) error {
	root, err := os.OpenRoot(u.job.Dir)
	if err != nil {
		return fmt.Errorf("open the output folder: %w", err)
	}
	defer root.Close()
	out, err := u.agent.openUpload(ctx, u.job.Ref, u.job.UserID)
	if err != nil {
		return err
	}
	defer out.close()
	u.done = 0
	kept := u.reply.Files[:0]
	for _, f := range u.reply.Files {
		if err := u.sendFile(ctx, out, root, &f); err != nil && !out.failed && ctx.Err() == nil {
			u.skip(f, plainError(err))
			continue
		}
		kept = append(kept, f)
	}
	u.reply.Files = kept
	_, err = out.finish()
	return err
}

// sendFile reads the whole file, for its hash, and sends what is missing.
func (u *uploading) sendFile(ctx context.Context, out *uploadStream, root *os.Root, f *File) error {
	have := u.have[f.Path]
	complete := have.GetComplete() && have.GetReceived() == f.Size
	if out.failed || ctx.Err() != nil || complete && f.SHA256 != "" {
		u.done += f.Size
		return nil
	}
	file, err := openRegular(root, f.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	from := have.GetReceived()
	if from > f.Size || have.GetComplete() && !complete {
		from = 0 // not this file; the master decides
	}
	sum := sha256.New()
	if err := u.hashPart(ctx, sum, file, from); err != nil {
		return err
	}
	for at := from; !complete; {
		// A new buffer each time: the stream may keep it for a while.
		data := make([]byte, min(transport.FileChunk, f.Size-at))
		if _, err := io.ReadFull(file, data); err != nil {
			return err
		}
		sum.Write(data)
		chunk := &pb.FileChunk{FilePath: f.Path, Data: data, Offset: at, Mode: f.Mode, Size: f.Size}
		at += int64(len(data))
		if complete = at == f.Size; complete {
			chunk.Last, chunk.Sha256 = true, hex.EncodeToString(sum.Sum(nil))
		}
		if err := out.send(chunk); err != nil {
			return err
		}
		u.reply.Moved = u.reply.Moved || len(data) > 0
		u.moved(len(data))
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return nil
}

// hashPart adds the part that the master has already.
func (u *uploading) hashPart(ctx context.Context, sum hash.Hash, file io.Reader, size int64) error {
	for size > 0 {
		n, err := io.CopyN(sum, file, min(size, 16<<20))
		if err != nil {
			return err
		}
		size -= n
		u.moved(int(n))
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (u *uploading) moved(n int) {
	u.done += int64(n)
	u.report(u.done, u.total)
}

// maxRefusals is how often the master may refuse a file before no other is
// tried. Each time only files are left that fit into what it says it has room
// for, so that it refuses again only when others use that up meanwhile.
const maxRefusals = 8

// leaveOut moves the file that the master has refused to the skipped ones, and
// with it those that it would refuse, too. The refused one is the first that it
// has not got whole, since they are sent in order.
func (u *uploading) leaveOut(why string, all bool) {
	why = strings.TrimPrefix(why, transport.ReasonQuota+": ")
	u.reply.Refused = cmp.Or(u.reply.Refused, why)
	room, first := u.room, true
	kept := u.reply.Files[:0]
	for _, f := range u.reply.Files {
		missing := f.Size - u.have[f.Path].GetReceived()
		switch {
		case u.whole(f):
		case first, all, room >= 0 && missing > room:
			first = false
			u.skip(f, why)
			continue
		case room >= 0:
			room -= missing
		}
		kept = append(kept, f)
	}
	u.reply.Files = kept
}

// skip names a file that is not kept, as long as the list is not too long for a
// message.
func (u *uploading) skip(f File, reason string) {
	u.total -= f.Size
	if u.skippedBytes += len(f.Path) + len(reason); u.skippedBytes > maxSkippedBytes {
		u.unnamed++
		return
	}
	u.reply.Skipped = append(u.reply.Skipped, Skipped{Path: f.Path, Reason: reason})
}

// nameTheRest counts the skipped files that are not named.
func (u *uploading) nameTheRest() {
	if u.unnamed > 0 {
		u.reply.Skipped = append(u.reply.Skipped, Skipped{Reason: fmt.Sprintf("and %d more", u.unnamed)})
	}
}

// uploadStream is an UploadTaskFiles call that is given up when it stalls.
type uploadStream struct {
	agent  *Agent
	ref    Ref
	userID string
	stream pb.Master_UploadTaskFilesClient
	cancel context.CancelFunc
	stall  *time.Timer
	failed bool // the stream has ended; finish tells why
}

func (a *Agent) openUpload(ctx context.Context, ref Ref, userID string) (*uploadStream, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := a.client().UploadTaskFiles(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	return &uploadStream{
		agent: a, ref: ref, userID: userID, stream: stream,
		cancel: cancel, stall: time.AfterFunc(uploadStall, cancel),
	}, nil
}

func (s *uploadStream) send(c *pb.FileChunk) error {
	c.TaskId, c.Attempt, c.Lease = s.ref.TaskID, int32(s.ref.Attempt), s.ref.Lease
	c.WorkerId, c.Session, c.UserId = s.agent.cfg.Worker.ID, s.agent.cfg.Worker.Session, s.userID
	s.stall.Reset(uploadStall)
	err := s.stream.Send(c)
	s.failed = s.failed || err != nil
	return err
}

// finish waits for the answer to the whole stream.
func (s *uploadStream) finish() (*pb.FileUploadAck, error) {
	s.stall.Reset(uploadStall)
	return s.stream.CloseAndRecv()
}

func (s *uploadStream) close() {
	s.stall.Stop()
	s.cancel()
}
