package cluster

// TaskRequest is a task as a person asks for it: nil means that the default
// holds. Durations are Go style ("90s"), memory, storage and shm in MiB.
type TaskRequest struct {
	Image          string
	Command        string
	Args           []string
	Name           string
	CPU            *float64
	Memory         *int64
	Storage        *int64
	GPU            *int
	Env            map[string]string
	Workdir        string
	Timeout        string
	GracePeriod    string
	Priority       *int
	MaxRetries     *int
	MaxReschedules *int
	Labels         map[string]string
	Constraints    map[string]string
	TargetWorker   string
	Network        string
	ShmSize        *int64
	Inputs         []InputFile
}
