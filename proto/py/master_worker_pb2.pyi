from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
TASK_STATE_ASSIGNED: TaskState
TASK_STATE_COLLECT_OUTPUT: TaskState
TASK_STATE_CONTAINER_CREATED: TaskState
TASK_STATE_CREATED: TaskState
TASK_STATE_IMAGE_PULLED: TaskState
TASK_STATE_QUEUED: TaskState
TASK_STATE_REPORT_RESULT: TaskState
TASK_STATE_RUNNING: TaskState
TASK_STATE_STORED: TaskState
TASK_STATE_UNSPECIFIED: TaskState
TASK_STATE_UPLOAD_FILES: TaskState

class Ack(_message.Message):
    __slots__ = ["need_log"]
    NEED_LOG_FIELD_NUMBER: _ClassVar[int]
    need_log: NeedLog
    def __init__(self, need_log: _Optional[_Union[NeedLog, _Mapping]] = ...) -> None: ...

class AttemptRef(_message.Message):
    __slots__ = ["attempt", "lease", "task_id"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    lease: str
    task_id: str
    def __init__(self, task_id: _Optional[str] = ..., attempt: _Optional[int] = ..., lease: _Optional[str] = ...) -> None: ...

class Empty(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class FileChunk(_message.Message):
    __slots__ = ["attempt", "data", "file_path", "kind", "last", "lease", "log", "mode", "offset", "session", "sha256", "size", "task_id", "user_id", "worker_id"]
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    FILE: FileChunk.Kind
    FILE_PATH_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    LOG: FileChunk.Kind
    LOG_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    QUERY: FileChunk.Kind
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    data: bytes
    file_path: str
    kind: FileChunk.Kind
    last: bool
    lease: str
    log: LogChunk
    mode: int
    offset: int
    session: str
    sha256: str
    size: int
    task_id: str
    user_id: str
    worker_id: str
    def __init__(self, task_id: _Optional[str] = ..., attempt: _Optional[int] = ..., user_id: _Optional[str] = ..., file_path: _Optional[str] = ..., data: _Optional[bytes] = ..., lease: _Optional[str] = ..., session: _Optional[str] = ..., worker_id: _Optional[str] = ..., kind: _Optional[_Union[FileChunk.Kind, str]] = ..., offset: _Optional[int] = ..., last: bool = ..., mode: _Optional[int] = ..., log: _Optional[_Union[LogChunk, _Mapping]] = ..., sha256: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class FileUploadAck(_message.Message):
    __slots__ = ["bounded", "files", "more", "room", "stderr_offset", "stdout_offset"]
    BOUNDED_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    ROOM_FIELD_NUMBER: _ClassVar[int]
    STDERR_OFFSET_FIELD_NUMBER: _ClassVar[int]
    STDOUT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    bounded: bool
    files: _containers.RepeatedCompositeFieldContainer[UploadedFile]
    more: bool
    room: int
    stderr_offset: int
    stdout_offset: int
    def __init__(self, files: _Optional[_Iterable[_Union[UploadedFile, _Mapping]]] = ..., stdout_offset: _Optional[int] = ..., stderr_offset: _Optional[int] = ..., more: bool = ..., bounded: bool = ..., room: _Optional[int] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ["absent", "cpu_usage", "gpu_usage", "healthy", "leaving", "memory_usage", "message", "number", "restart_grace", "running_tasks", "session", "storage_usage", "worker_id"]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    CPU_USAGE_FIELD_NUMBER: _ClassVar[int]
    GPU_USAGE_FIELD_NUMBER: _ClassVar[int]
    HEALTHY_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    MEMORY_USAGE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    RESTART_GRACE_FIELD_NUMBER: _ClassVar[int]
    RUNNING_TASKS_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STORAGE_USAGE_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    absent: _containers.RepeatedCompositeFieldContainer[AttemptRef]
    cpu_usage: float
    gpu_usage: int
    healthy: bool
    leaving: bool
    memory_usage: int
    message: str
    number: int
    restart_grace: _duration_pb2.Duration
    running_tasks: _containers.RepeatedCompositeFieldContainer[RunningTask]
    session: str
    storage_usage: int
    worker_id: str
    def __init__(self, worker_id: _Optional[str] = ..., session: _Optional[str] = ..., cpu_usage: _Optional[float] = ..., memory_usage: _Optional[int] = ..., storage_usage: _Optional[int] = ..., gpu_usage: _Optional[int] = ..., running_tasks: _Optional[_Iterable[_Union[RunningTask, _Mapping]]] = ..., number: _Optional[int] = ..., absent: _Optional[_Iterable[_Union[AttemptRef, _Mapping]]] = ..., healthy: bool = ..., message: _Optional[str] = ..., leaving: bool = ..., restart_grace: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class HeartbeatAck(_message.Message):
    __slots__ = ["cancel", "cluster_id", "expect", "stop"]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    EXPECT_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    cancel: _containers.RepeatedCompositeFieldContainer[AttemptRef]
    cluster_id: str
    expect: _containers.RepeatedCompositeFieldContainer[AttemptRef]
    stop: _containers.RepeatedCompositeFieldContainer[AttemptRef]
    def __init__(self, stop: _Optional[_Iterable[_Union[AttemptRef, _Mapping]]] = ..., expect: _Optional[_Iterable[_Union[AttemptRef, _Mapping]]] = ..., cluster_id: _Optional[str] = ..., cancel: _Optional[_Iterable[_Union[AttemptRef, _Mapping]]] = ...) -> None: ...

class InputFile(_message.Message):
    __slots__ = ["content", "path"]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    path: str
    def __init__(self, path: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class LogChunk(_message.Message):
    __slots__ = ["data", "dropped", "end", "offset", "stderr_length", "stdout_length", "stream", "time"]
    class Stream(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    DATA_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    STDERR: LogChunk.Stream
    STDERR_LENGTH_FIELD_NUMBER: _ClassVar[int]
    STDOUT: LogChunk.Stream
    STDOUT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    STREAM_UNSPECIFIED: LogChunk.Stream
    TIME_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    dropped: int
    end: bool
    offset: int
    stderr_length: int
    stdout_length: int
    stream: LogChunk.Stream
    time: _timestamp_pb2.Timestamp
    def __init__(self, stream: _Optional[_Union[LogChunk.Stream, str]] = ..., offset: _Optional[int] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., data: _Optional[bytes] = ..., dropped: _Optional[int] = ..., end: bool = ..., stdout_length: _Optional[int] = ..., stderr_length: _Optional[int] = ...) -> None: ...

class MasterInfo(_message.Message):
    __slots__ = ["challenge", "cluster_id", "master_address", "master_id", "session", "worker_id"]
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    MASTER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MASTER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    challenge: bytes
    cluster_id: str
    master_address: str
    master_id: str
    session: str
    worker_id: str
    def __init__(self, master_id: _Optional[str] = ..., master_address: _Optional[str] = ..., cluster_id: _Optional[str] = ..., worker_id: _Optional[str] = ..., session: _Optional[str] = ..., challenge: _Optional[bytes] = ...) -> None: ...

class NeedLog(_message.Message):
    __slots__ = ["stderr_offset", "stdout_offset"]
    STDERR_OFFSET_FIELD_NUMBER: _ClassVar[int]
    STDOUT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    stderr_offset: int
    stdout_offset: int
    def __init__(self, stdout_offset: _Optional[int] = ..., stderr_offset: _Optional[int] = ...) -> None: ...

class OutputFile(_message.Message):
    __slots__ = ["mode", "path", "sha256", "size"]
    MODE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    mode: int
    path: str
    sha256: str
    size: int
    def __init__(self, path: _Optional[str] = ..., size: _Optional[int] = ..., sha256: _Optional[str] = ..., mode: _Optional[int] = ...) -> None: ...

class RegisterAck(_message.Message):
    __slots__ = ["cluster_id", "heartbeat_interval", "keep", "master_id", "proof", "session", "stop", "version", "worker_id"]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    MASTER_ID_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    heartbeat_interval: _duration_pb2.Duration
    keep: _containers.RepeatedCompositeFieldContainer[AttemptRef]
    master_id: str
    proof: bytes
    session: str
    stop: _containers.RepeatedCompositeFieldContainer[AttemptRef]
    version: str
    worker_id: str
    def __init__(self, cluster_id: _Optional[str] = ..., master_id: _Optional[str] = ..., session: _Optional[str] = ..., worker_id: _Optional[str] = ..., version: _Optional[str] = ..., heartbeat_interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., keep: _Optional[_Iterable[_Union[AttemptRef, _Mapping]]] = ..., stop: _Optional[_Iterable[_Union[AttemptRef, _Mapping]]] = ..., proof: _Optional[bytes] = ...) -> None: ...

class RunningTask(_message.Message):
    __slots__ = ["attempt", "cluster_id", "cpu_allocated", "gpu_allocated", "has_container", "lease", "memory_allocated", "state", "storage_allocated", "task_id"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    CPU_ALLOCATED_FIELD_NUMBER: _ClassVar[int]
    GPU_ALLOCATED_FIELD_NUMBER: _ClassVar[int]
    HAS_CONTAINER_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_ALLOCATED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STORAGE_ALLOCATED_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    cluster_id: str
    cpu_allocated: float
    gpu_allocated: int
    has_container: bool
    lease: str
    memory_allocated: int
    state: TaskState
    storage_allocated: int
    task_id: str
    def __init__(self, task_id: _Optional[str] = ..., attempt: _Optional[int] = ..., state: _Optional[_Union[TaskState, str]] = ..., cpu_allocated: _Optional[float] = ..., memory_allocated: _Optional[int] = ..., gpu_allocated: _Optional[int] = ..., lease: _Optional[str] = ..., storage_allocated: _Optional[int] = ..., has_container: bool = ..., cluster_id: _Optional[str] = ...) -> None: ...

class SkippedFile(_message.Message):
    __slots__ = ["path", "reason"]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    path: str
    reason: str
    def __init__(self, path: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class StateTime(_message.Message):
    __slots__ = ["state", "time"]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    state: TaskState
    time: _timestamp_pb2.Timestamp
    def __init__(self, state: _Optional[_Union[TaskState, str]] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ["args", "attempt", "cluster_id", "command", "docker_image", "env", "grace_period", "inputs", "lease", "log_limit", "network", "req_cpu", "req_gpu", "req_memory", "req_storage", "session", "shm_size", "task_id", "task_name", "timeout", "user_id", "workdir"]
    class EnvEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ARGS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    DOCKER_IMAGE_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    GRACE_PERIOD_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    LOG_LIMIT_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    REQ_CPU_FIELD_NUMBER: _ClassVar[int]
    REQ_GPU_FIELD_NUMBER: _ClassVar[int]
    REQ_MEMORY_FIELD_NUMBER: _ClassVar[int]
    REQ_STORAGE_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SHM_SIZE_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_NAME_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    WORKDIR_FIELD_NUMBER: _ClassVar[int]
    args: _containers.RepeatedScalarFieldContainer[str]
    attempt: int
    cluster_id: str
    command: str
    docker_image: str
    env: _containers.ScalarMap[str, str]
    grace_period: _duration_pb2.Duration
    inputs: _containers.RepeatedCompositeFieldContainer[InputFile]
    lease: str
    log_limit: int
    network: str
    req_cpu: float
    req_gpu: int
    req_memory: int
    req_storage: int
    session: str
    shm_size: int
    task_id: str
    task_name: str
    timeout: _duration_pb2.Duration
    user_id: str
    workdir: str
    def __init__(self, task_id: _Optional[str] = ..., attempt: _Optional[int] = ..., docker_image: _Optional[str] = ..., command: _Optional[str] = ..., args: _Optional[_Iterable[str]] = ..., req_cpu: _Optional[float] = ..., req_memory: _Optional[int] = ..., req_storage: _Optional[int] = ..., req_gpu: _Optional[int] = ..., user_id: _Optional[str] = ..., task_name: _Optional[str] = ..., lease: _Optional[str] = ..., session: _Optional[str] = ..., cluster_id: _Optional[str] = ..., env: _Optional[_Mapping[str, str]] = ..., workdir: _Optional[str] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., grace_period: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., network: _Optional[str] = ..., shm_size: _Optional[int] = ..., inputs: _Optional[_Iterable[_Union[InputFile, _Mapping]]] = ..., log_limit: _Optional[int] = ...) -> None: ...

class TaskAck(_message.Message):
    __slots__ = ["session"]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: str
    def __init__(self, session: _Optional[str] = ...) -> None: ...

class TaskID(_message.Message):
    __slots__ = ["attempt", "cluster_id", "lease", "session", "task_id"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    cluster_id: str
    lease: str
    session: str
    task_id: str
    def __init__(self, task_id: _Optional[str] = ..., attempt: _Optional[int] = ..., lease: _Optional[str] = ..., session: _Optional[str] = ..., cluster_id: _Optional[str] = ...) -> None: ...

class TaskLogRequest(_message.Message):
    __slots__ = ["attempt", "follow", "lease", "session", "stderr_offset", "stdout_offset", "task_id"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STDERR_OFFSET_FIELD_NUMBER: _ClassVar[int]
    STDOUT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    follow: bool
    lease: str
    session: str
    stderr_offset: int
    stdout_offset: int
    task_id: str
    def __init__(self, task_id: _Optional[str] = ..., attempt: _Optional[int] = ..., stdout_offset: _Optional[int] = ..., stderr_offset: _Optional[int] = ..., follow: bool = ..., lease: _Optional[str] = ..., session: _Optional[str] = ...) -> None: ...

class TaskProgress(_message.Message):
    __slots__ = ["attempt", "done_bytes", "exit_code", "lease", "message", "outcome", "sent_at", "session", "states", "task_id", "total_bytes", "usage", "worker_id"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    DONE_BYTES_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    done_bytes: int
    exit_code: int
    lease: str
    message: str
    outcome: str
    sent_at: _timestamp_pb2.Timestamp
    session: str
    states: _containers.RepeatedCompositeFieldContainer[StateTime]
    task_id: str
    total_bytes: int
    usage: TaskUsage
    worker_id: str
    def __init__(self, worker_id: _Optional[str] = ..., session: _Optional[str] = ..., task_id: _Optional[str] = ..., attempt: _Optional[int] = ..., lease: _Optional[str] = ..., states: _Optional[_Iterable[_Union[StateTime, _Mapping]]] = ..., done_bytes: _Optional[int] = ..., total_bytes: _Optional[int] = ..., exit_code: _Optional[int] = ..., outcome: _Optional[str] = ..., message: _Optional[str] = ..., usage: _Optional[_Union[TaskUsage, _Mapping]] = ..., sent_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TaskResult(_message.Message):
    __slots__ = ["attempt", "exit_code", "failure", "files_as_uploaded", "finished_at", "has_exit_code", "hopeless", "lease", "log_lost", "logs", "message", "output_files", "sent_at", "session", "skipped", "started_at", "states", "status", "stderr_length", "stdout_length", "task_id", "usage", "worker_id"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    FILES_AS_UPLOADED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_AT_FIELD_NUMBER: _ClassVar[int]
    HAS_EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    HOPELESS_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    LOG_LOST_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FILES_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STDERR_LENGTH_FIELD_NUMBER: _ClassVar[int]
    STDOUT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    exit_code: int
    failure: str
    files_as_uploaded: bool
    finished_at: _timestamp_pb2.Timestamp
    has_exit_code: bool
    hopeless: bool
    lease: str
    log_lost: bool
    logs: _containers.RepeatedCompositeFieldContainer[LogChunk]
    message: str
    output_files: _containers.RepeatedCompositeFieldContainer[OutputFile]
    sent_at: _timestamp_pb2.Timestamp
    session: str
    skipped: _containers.RepeatedCompositeFieldContainer[SkippedFile]
    started_at: _timestamp_pb2.Timestamp
    states: _containers.RepeatedCompositeFieldContainer[StateTime]
    status: str
    stderr_length: int
    stdout_length: int
    task_id: str
    usage: TaskUsage
    worker_id: str
    def __init__(self, task_id: _Optional[str] = ..., attempt: _Optional[int] = ..., worker_id: _Optional[str] = ..., status: _Optional[str] = ..., exit_code: _Optional[int] = ..., failure: _Optional[str] = ..., message: _Optional[str] = ..., output_files: _Optional[_Iterable[_Union[OutputFile, _Mapping]]] = ..., logs: _Optional[_Iterable[_Union[LogChunk, _Mapping]]] = ..., stdout_length: _Optional[int] = ..., stderr_length: _Optional[int] = ..., lease: _Optional[str] = ..., session: _Optional[str] = ..., states: _Optional[_Iterable[_Union[StateTime, _Mapping]]] = ..., skipped: _Optional[_Iterable[_Union[SkippedFile, _Mapping]]] = ..., usage: _Optional[_Union[TaskUsage, _Mapping]] = ..., has_exit_code: bool = ..., started_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., finished_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., log_lost: bool = ..., files_as_uploaded: bool = ..., hopeless: bool = ..., sent_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TaskUsage(_message.Message):
    __slots__ = ["cpu", "cpu_seconds", "log_bytes", "memory", "memory_peak", "output_bytes", "pulled_bytes"]
    CPU_FIELD_NUMBER: _ClassVar[int]
    CPU_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LOG_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    MEMORY_PEAK_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    PULLED_BYTES_FIELD_NUMBER: _ClassVar[int]
    cpu: float
    cpu_seconds: float
    log_bytes: int
    memory: float
    memory_peak: float
    output_bytes: int
    pulled_bytes: int
    def __init__(self, cpu_seconds: _Optional[float] = ..., memory_peak: _Optional[float] = ..., cpu: _Optional[float] = ..., memory: _Optional[float] = ..., log_bytes: _Optional[int] = ..., output_bytes: _Optional[int] = ..., pulled_bytes: _Optional[int] = ...) -> None: ...

class UploadedFile(_message.Message):
    __slots__ = ["complete", "path", "received"]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    complete: bool
    path: str
    received: int
    def __init__(self, path: _Optional[str] = ..., received: _Optional[int] = ..., complete: bool = ...) -> None: ...

class WorkerInfo(_message.Message):
    __slots__ = ["fingerprint", "join_secret", "labels", "returning", "running_tasks", "session", "total_cpu", "total_gpu", "total_memory", "total_storage", "version", "worker_id", "worker_ip", "worker_port"]
    class LabelsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    JOIN_SECRET_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    RETURNING_FIELD_NUMBER: _ClassVar[int]
    RUNNING_TASKS_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    TOTAL_CPU_FIELD_NUMBER: _ClassVar[int]
    TOTAL_GPU_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MEMORY_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STORAGE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_IP_FIELD_NUMBER: _ClassVar[int]
    WORKER_PORT_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    join_secret: str
    labels: _containers.ScalarMap[str, str]
    returning: bool
    running_tasks: _containers.RepeatedCompositeFieldContainer[RunningTask]
    session: str
    total_cpu: float
    total_gpu: int
    total_memory: int
    total_storage: int
    version: str
    worker_id: str
    worker_ip: str
    worker_port: int
    def __init__(self, worker_id: _Optional[str] = ..., worker_ip: _Optional[str] = ..., worker_port: _Optional[int] = ..., total_cpu: _Optional[float] = ..., total_memory: _Optional[int] = ..., total_storage: _Optional[int] = ..., total_gpu: _Optional[int] = ..., session: _Optional[str] = ..., version: _Optional[str] = ..., running_tasks: _Optional[_Iterable[_Union[RunningTask, _Mapping]]] = ..., labels: _Optional[_Mapping[str, str]] = ..., join_secret: _Optional[str] = ..., fingerprint: _Optional[str] = ..., returning: bool = ...) -> None: ...

class TaskState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
