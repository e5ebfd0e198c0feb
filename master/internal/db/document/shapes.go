package document

import (
	"time"

	"cloudai/master/internal/cluster"
)

// The shapes of documents. Names are short, since they are in every row; zero
// values are left out, empty (not nil) lists and maps are not. A name that has
// been released never gets another meaning.

type taskDoc struct {
	User        cluster.UserID   `json:"u,omitzero"`
	Spec        specDoc          `json:"sp,omitzero"`
	RetryOf     cluster.TaskID   `json:"ro,omitzero"`
	State       cluster.State    `json:"s,omitzero"`
	Attempt     int              `json:"a,omitzero"`
	Worker      cluster.WorkerID `json:"w,omitzero"`
	Lease       string           `json:"l,omitzero"`
	Cancel      bool             `json:"c,omitzero"`
	CancelledBy cluster.UserID   `json:"cb,omitzero"`
	Retries     int              `json:"rt,omitzero"`
	Reschedules int              `json:"rs,omitzero"`
	NotBefore   stamp            `json:"nb,omitzero"`
	Outcome     cluster.Outcome  `json:"o,omitzero"`
	ExitCode    *int             `json:"x,omitzero"`
	Failure     cluster.Failure  `json:"f,omitzero"`
	Message     string           `json:"m,omitzero"`
	Created     stamp            `json:"tc,omitzero"`
	Queued      stamp            `json:"tq,omitzero"`
	Started     stamp            `json:"ts,omitzero"`
	Finished    stamp            `json:"tf,omitzero"`
	Attempts    []attemptDoc     `json:"at,omitzero"`
	Events      []eventDoc       `json:"ev,omitzero"`
	Usage       usageDoc         `json:"us,omitzero"`
	Files       filesDoc         `json:"fi,omitzero"`
	LogsDeleted bool             `json:"ld,omitzero"`
}

type specDoc struct {
	Image          string            `json:"i,omitzero"`
	Command        string            `json:"c,omitzero"`
	Args           []string          `json:"a,omitzero"`
	Name           string            `json:"n,omitzero"`
	Resources      resourcesDoc      `json:"r,omitzero"`
	Env            map[string]string `json:"e,omitzero"`
	Workdir        string            `json:"w,omitzero"`
	Timeout        time.Duration     `json:"t,omitzero"` // nanoseconds
	GracePeriod    time.Duration     `json:"g,omitzero"` // nanoseconds
	Priority       int               `json:"p,omitzero"`
	MaxRetries     int               `json:"mr,omitzero"`
	MaxReschedules int               `json:"ms,omitzero"`
	Labels         map[string]string `json:"l,omitzero"`
	Constraints    map[string]string `json:"co,omitzero"`
	TargetWorker   cluster.WorkerID  `json:"tw,omitzero"`
	Network        string            `json:"nw,omitzero"`
	ShmSize        int64             `json:"sh,omitzero"` // MiB
	Inputs         []inputDoc        `json:"in,omitzero"`
}

type inputDoc struct {
	Path    string `json:"p,omitzero"`
	Content []byte `json:"c,omitzero"`
}

type resourcesDoc struct {
	CPU     float64 `json:"c,omitzero"` // cores
	Memory  int64   `json:"m,omitzero"` // MiB
	Storage int64   `json:"s,omitzero"` // MiB
	GPU     int     `json:"g,omitzero"` // devices
}

type attemptDoc struct {
	Number   int              `json:"n,omitzero"`
	Worker   cluster.WorkerID `json:"w,omitzero"`
	Lease    string           `json:"l,omitzero"`
	State    cluster.State    `json:"s,omitzero"`
	Reported bool             `json:"r,omitzero"`
	Outcome  cluster.Outcome  `json:"o,omitzero"`
	ExitCode *int             `json:"x,omitzero"`
	Failure  cluster.Failure  `json:"f,omitzero"`
	Message  string           `json:"m,omitzero"`
	Assigned stamp            `json:"ta,omitzero"`
	Started  stamp            `json:"ts,omitzero"`
	Finished stamp            `json:"tf,omitzero"`
	Pulled   int64            `json:"pb,omitzero"` // bytes
}

type eventDoc struct {
	Seq        int              `json:"q,omitzero"`
	Time       stamp            `json:"t,omitzero"`
	WorkerTime stamp            `json:"tw,omitzero"`
	Attempt    int              `json:"a,omitzero"`
	State      cluster.State    `json:"s,omitzero"`
	Worker     cluster.WorkerID `json:"w,omitzero"`
	Cause      string           `json:"c,omitzero"`
	Outcome    cluster.Outcome  `json:"o,omitzero"`
	ExitCode   *int             `json:"x,omitzero"`
	Failure    cluster.Failure  `json:"f,omitzero"`
	Message    string           `json:"m,omitzero"`
}

type usageDoc struct {
	CPUSeconds  float64 `json:"c,omitzero"`
	MemoryPeak  float64 `json:"m,omitzero"` // MiB
	LogBytes    int64   `json:"l,omitzero"`
	OutputBytes int64   `json:"o,omitzero"`
}

type filesDoc struct {
	Attempt   int          `json:"a,omitzero"`
	Count     int          `json:"c,omitzero"`
	TotalSize int64        `json:"t,omitzero"` // bytes
	Deleted   bool         `json:"d,omitzero"`
	Skipped   []skippedDoc `json:"s,omitzero"`
}

type skippedDoc struct {
	Path   string `json:"p,omitzero"`
	Reason string `json:"r,omitzero"`
}

type resultDoc struct {
	Lease    string           `json:"l,omitzero"`
	Worker   cluster.WorkerID `json:"w,omitzero"`
	Outcome  cluster.Outcome  `json:"o,omitzero"`
	ExitCode *int             `json:"x,omitzero"`
	Failure  cluster.Failure  `json:"f,omitzero"`
	Message  string           `json:"m,omitzero"`
	Stored   stamp            `json:"t,omitzero"`
	Usage    usageDoc         `json:"us,omitzero"`
	Samples  []sampleDoc      `json:"sa,omitzero"`
}

type sampleDoc struct {
	Time   stamp   `json:"t,omitzero"`
	CPU    float64 `json:"c,omitzero"` // cores
	Memory float64 `json:"m,omitzero"` // MiB
}

type workerDoc struct {
	Address     string            `json:"a,omitzero"`
	Session     string            `json:"se,omitzero"`
	Fingerprint string            `json:"fp,omitzero"`
	Version     string            `json:"v,omitzero"`
	Labels      map[string]string `json:"l,omitzero"`
	Total       resourcesDoc      `json:"t,omitzero"`
	Draining    bool              `json:"d,omitzero"`
	Lost        bool              `json:"lo,omitzero"`
	Barred      bool              `json:"b,omitzero"`
	Registered  stamp             `json:"tr,omitzero"`
	LeftUntil   stamp             `json:"tl,omitzero"`
}
