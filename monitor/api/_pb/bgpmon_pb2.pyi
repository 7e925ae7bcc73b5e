from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Document(_message.Message):
    __slots__ = ("json",)
    JSON_FIELD_NUMBER: _ClassVar[int]
    json: bytes
    def __init__(self, json: _Optional[bytes] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PeersRequest(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    def __init__(self, address: _Optional[str] = ...) -> None: ...

class DomainsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RoutesRequest(_message.Message):
    __slots__ = ("filter", "domain", "limit")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    filter: str
    domain: str
    limit: int
    def __init__(self, filter: _Optional[str] = ..., domain: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ViewRequest(_message.Message):
    __slots__ = ("filter", "domain", "sort", "descending", "problems", "replaces", "wait")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    SORT_FIELD_NUMBER: _ClassVar[int]
    DESCENDING_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    REPLACES_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    filter: str
    domain: str
    sort: str
    descending: bool
    problems: bool
    replaces: int
    wait: float
    def __init__(self, filter: _Optional[str] = ..., domain: _Optional[str] = ..., sort: _Optional[str] = ..., descending: _Optional[bool] = ..., problems: _Optional[bool] = ..., replaces: _Optional[int] = ..., wait: _Optional[float] = ...) -> None: ...

class WindowRequest(_message.Message):
    __slots__ = ("view", "first", "count", "around", "before")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    AROUND_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    view: int
    first: int
    count: int
    around: str
    before: int
    def __init__(self, view: _Optional[int] = ..., first: _Optional[int] = ..., count: _Optional[int] = ..., around: _Optional[str] = ..., before: _Optional[int] = ...) -> None: ...

class CloseViewRequest(_message.Message):
    __slots__ = ("view",)
    VIEW_FIELD_NUMBER: _ClassVar[int]
    view: int
    def __init__(self, view: _Optional[int] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("prefix", "domain")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    domain: str
    def __init__(self, prefix: _Optional[str] = ..., domain: _Optional[str] = ...) -> None: ...

class LookupRequest(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    def __init__(self, address: _Optional[str] = ...) -> None: ...

class PlanRequest(_message.Message):
    __slots__ = ("digest", "limit")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    digest: str
    limit: int
    def __init__(self, digest: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class PlansRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class ComparePlansRequest(_message.Message):
    __slots__ = ("first", "second")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    first: str
    second: str
    def __init__(self, first: _Optional[str] = ..., second: _Optional[str] = ...) -> None: ...

class ExportPlanRequest(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: str
    def __init__(self, digest: _Optional[str] = ...) -> None: ...

class StatementRequest(_message.Message):
    __slots__ = ("digest", "act", "ticket", "expires")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    digest: str
    act: str
    ticket: str
    expires: float
    def __init__(self, digest: _Optional[str] = ..., act: _Optional[str] = ..., ticket: _Optional[str] = ..., expires: _Optional[float] = ...) -> None: ...

class JudgeRequest(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: str
    def __init__(self, digest: _Optional[str] = ...) -> None: ...

class WindowsRequest(_message.Message):
    __slots__ = ("at", "count")
    AT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    at: float
    count: int
    def __init__(self, at: _Optional[float] = ..., count: _Optional[int] = ...) -> None: ...

class HoldsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HistoryRequest(_message.Message):
    __slots__ = ("prefix", "limit")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    limit: int
    def __init__(self, prefix: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class EventsRequest(_message.Message):
    __slots__ = ("after", "since", "limit", "wait")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    after: int
    since: float
    limit: int
    wait: float
    def __init__(self, after: _Optional[int] = ..., since: _Optional[float] = ..., limit: _Optional[int] = ..., wait: _Optional[float] = ...) -> None: ...

class AuditRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExportAuditRequest(_message.Message):
    __slots__ = ("after", "since", "limit")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after: int
    since: float
    limit: int
    def __init__(self, after: _Optional[int] = ..., since: _Optional[float] = ..., limit: _Optional[int] = ...) -> None: ...

class ReplayRequest(_message.Message):
    __slots__ = ("at", "what", "filter", "limit")
    AT_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    at: float
    what: str
    filter: str
    limit: int
    def __init__(self, at: _Optional[float] = ..., what: _Optional[str] = ..., filter: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class DoctorRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FreezeRequest(_message.Message):
    __slots__ = ("filter", "denied", "name")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    DENIED_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    filter: str
    denied: bool
    name: str
    def __init__(self, filter: _Optional[str] = ..., denied: _Optional[bool] = ..., name: _Optional[str] = ...) -> None: ...

class Endorsement(_message.Message):
    __slots__ = ("statement", "signature", "ticket", "comment", "name", "break_glass")
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    BREAK_GLASS_FIELD_NUMBER: _ClassVar[int]
    statement: bytes
    signature: str
    ticket: str
    comment: str
    name: str
    break_glass: bool
    def __init__(self, statement: _Optional[bytes] = ..., signature: _Optional[str] = ..., ticket: _Optional[str] = ..., comment: _Optional[str] = ..., name: _Optional[str] = ..., break_glass: _Optional[bool] = ...) -> None: ...

class ApproveRequest(_message.Message):
    __slots__ = ("digest", "endorsement")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENT_FIELD_NUMBER: _ClassVar[int]
    digest: str
    endorsement: Endorsement
    def __init__(self, digest: _Optional[str] = ..., endorsement: _Optional[_Union[Endorsement, _Mapping]] = ...) -> None: ...

class RejectRequest(_message.Message):
    __slots__ = ("digest", "reason", "endorsement")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENT_FIELD_NUMBER: _ClassVar[int]
    digest: str
    reason: str
    endorsement: Endorsement
    def __init__(self, digest: _Optional[str] = ..., reason: _Optional[str] = ..., endorsement: _Optional[_Union[Endorsement, _Mapping]] = ...) -> None: ...

class ConfirmRequest(_message.Message):
    __slots__ = ("digest", "endorsement")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENT_FIELD_NUMBER: _ClassVar[int]
    digest: str
    endorsement: Endorsement
    def __init__(self, digest: _Optional[str] = ..., endorsement: _Optional[_Union[Endorsement, _Mapping]] = ...) -> None: ...

class RollBackRequest(_message.Message):
    __slots__ = ("digest", "reason", "name")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    digest: str
    reason: str
    name: str
    def __init__(self, digest: _Optional[str] = ..., reason: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class ExtendRequest(_message.Message):
    __slots__ = ("digest", "seconds")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    digest: str
    seconds: float
    def __init__(self, digest: _Optional[str] = ..., seconds: _Optional[float] = ...) -> None: ...

class HoldRequest(_message.Message):
    __slots__ = ("filter", "seconds", "reason")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    filter: str
    seconds: float
    reason: str
    def __init__(self, filter: _Optional[str] = ..., seconds: _Optional[float] = ..., reason: _Optional[str] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class PauseRequest(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReloadRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WithdrawAllRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
