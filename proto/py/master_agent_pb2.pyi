from google.protobuf import timestamp_pb2 as _timestamp_pb2
from . import master_worker_pb2 as _master_worker_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AgentAck(_message.Message):
    __slots__ = ["outcomes"]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedCompositeFieldContainer[AssignmentOutcome]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[AssignmentOutcome, _Mapping]]] = ...) -> None: ...

class AgentResources(_message.Message):
    __slots__ = ["cpu", "gpu", "memory", "storage"]
    CPU_FIELD_NUMBER: _ClassVar[int]
    GPU_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    STORAGE_FIELD_NUMBER: _ClassVar[int]
    cpu: float
    gpu: int
    memory: int
    storage: int
    def __init__(self, cpu: _Optional[float] = ..., memory: _Optional[int] = ..., storage: _Optional[int] = ..., gpu: _Optional[int] = ...) -> None: ...

class AgentTask(_message.Message):
    __slots__ = ["attempt", "constraints", "priority", "queued_at", "required", "target_worker_id", "task_id"]
    class ConstraintsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINTS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    QUEUED_AT_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    TARGET_WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    constraints: _containers.ScalarMap[str, str]
    priority: int
    queued_at: _timestamp_pb2.Timestamp
    required: AgentResources
    target_worker_id: str
    task_id: str
    def __init__(self, task_id: _Optional[str] = ..., attempt: _Optional[int] = ..., required: _Optional[_Union[AgentResources, _Mapping]] = ..., priority: _Optional[int] = ..., constraints: _Optional[_Mapping[str, str]] = ..., target_worker_id: _Optional[str] = ..., queued_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AgentWorker(_message.Message):
    __slots__ = ["allocated", "labels", "last_heartbeat", "status", "total", "worker_id"]
    class LabelsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ALLOCATED_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LAST_HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    allocated: AgentResources
    labels: _containers.ScalarMap[str, str]
    last_heartbeat: _timestamp_pb2.Timestamp
    status: str
    total: AgentResources
    worker_id: str
    def __init__(self, worker_id: _Optional[str] = ..., status: _Optional[str] = ..., total: _Optional[_Union[AgentResources, _Mapping]] = ..., allocated: _Optional[_Union[AgentResources, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., last_heartbeat: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AssignmentOutcome(_message.Message):
    __slots__ = ["accepted", "reason", "task_id"]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    accepted: bool
    reason: str
    task_id: str
    def __init__(self, task_id: _Optional[str] = ..., accepted: bool = ..., reason: _Optional[str] = ...) -> None: ...

class ClusterState(_message.Message):
    __slots__ = ["revision", "waiting", "workers"]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    waiting: _containers.RepeatedCompositeFieldContainer[AgentTask]
    workers: _containers.RepeatedCompositeFieldContainer[AgentWorker]
    def __init__(self, revision: _Optional[int] = ..., workers: _Optional[_Iterable[_Union[AgentWorker, _Mapping]]] = ..., waiting: _Optional[_Iterable[_Union[AgentTask, _Mapping]]] = ...) -> None: ...

class TaskAssignment(_message.Message):
    __slots__ = ["attempt", "task_id", "worker_id"]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    task_id: str
    worker_id: str
    def __init__(self, task_id: _Optional[str] = ..., attempt: _Optional[int] = ..., worker_id: _Optional[str] = ...) -> None: ...

class TaskAssignments(_message.Message):
    __slots__ = ["assignments", "revision"]
    ASSIGNMENTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    assignments: _containers.RepeatedCompositeFieldContainer[TaskAssignment]
    revision: int
    def __init__(self, revision: _Optional[int] = ..., assignments: _Optional[_Iterable[_Union[TaskAssignment, _Mapping]]] = ...) -> None: ...
