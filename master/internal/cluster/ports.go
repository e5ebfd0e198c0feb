package cluster

// Target is where and as whom a worker is called. A call that reaches another
// session or another certificate fails.
type Target struct {
	WorkerID    WorkerID
	Session     string
	Address     string // host:port
	Fingerprint string
}

// Placed is the attempt that a task has now, and whose the task is.
type Placed struct {
	Owner UserID
	Ref   AttemptRef
}

// LogEnd is what a worker says of an attempt's complete log.
type LogEnd struct {
	Length LogOffsets // of the whole log
	Tail   []LogChunk // the end of it, 64 KiB at most; all of a short one
	Lost   bool       // what is missing at the master cannot be had any more
}

// Manifest is what a worker says it has uploaded.
type Manifest struct {
	Files   []File // ContentType empty
	Skipped []SkippedFile
	// AsUploaded: Files is empty, since it would be too long; the files are
	// those that were uploaded, with the sums that came with them.
	AsUploaded bool
}

// Order is one attempt's assignment on its way to a worker.
type Order struct {
	Ref      AttemptRef
	UserID   UserID
	Spec     Spec
	LogLimit int64 // bytes
}

// Hello is a worker's answer to being called.
type Hello struct {
	WorkerID WorkerID
	Session  string
	Version  string
	// Fingerprint is that of the certificate that answered, where none was
	// expected; empty otherwise, and without TLS.
	Fingerprint string
}
