from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetBgpRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetBgpResponse(_message.Message):
    __slots__ = ()
    GLOBAL_FIELD_NUMBER: _ClassVar[int]
    def __init__(self, **kwargs) -> None: ...

class Global(_message.Message):
    __slots__ = ("asn", "router_id")
    ASN_FIELD_NUMBER: _ClassVar[int]
    ROUTER_ID_FIELD_NUMBER: _ClassVar[int]
    asn: int
    router_id: str
    def __init__(self, asn: _Optional[int] = ..., router_id: _Optional[str] = ...) -> None: ...

class ListPeerRequest(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    def __init__(self, address: _Optional[str] = ...) -> None: ...

class ListPeerResponse(_message.Message):
    __slots__ = ("peer",)
    PEER_FIELD_NUMBER: _ClassVar[int]
    peer: Peer
    def __init__(self, peer: _Optional[_Union[Peer, _Mapping]] = ...) -> None: ...

class EnablePeerRequest(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    def __init__(self, address: _Optional[str] = ...) -> None: ...

class EnablePeerResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DisablePeerRequest(_message.Message):
    __slots__ = ("address", "communication")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    COMMUNICATION_FIELD_NUMBER: _ClassVar[int]
    address: str
    communication: str
    def __init__(self, address: _Optional[str] = ..., communication: _Optional[str] = ...) -> None: ...

class DisablePeerResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Family(_message.Message):
    __slots__ = ("afi", "safi")
    AFI_FIELD_NUMBER: _ClassVar[int]
    SAFI_FIELD_NUMBER: _ClassVar[int]
    afi: int
    safi: int
    def __init__(self, afi: _Optional[int] = ..., safi: _Optional[int] = ...) -> None: ...

class Peer(_message.Message):
    __slots__ = ("conf", "state", "timers", "graceful_restart", "afi_safis")
    CONF_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TIMERS_FIELD_NUMBER: _ClassVar[int]
    GRACEFUL_RESTART_FIELD_NUMBER: _ClassVar[int]
    AFI_SAFIS_FIELD_NUMBER: _ClassVar[int]
    conf: PeerConf
    state: PeerState
    timers: Timers
    graceful_restart: GracefulRestart
    afi_safis: _containers.RepeatedCompositeFieldContainer[AfiSafi]
    def __init__(self, conf: _Optional[_Union[PeerConf, _Mapping]] = ..., state: _Optional[_Union[PeerState, _Mapping]] = ..., timers: _Optional[_Union[Timers, _Mapping]] = ..., graceful_restart: _Optional[_Union[GracefulRestart, _Mapping]] = ..., afi_safis: _Optional[_Iterable[_Union[AfiSafi, _Mapping]]] = ...) -> None: ...

class PeerConf(_message.Message):
    __slots__ = ("auth_password", "description", "local_asn", "neighbor_address", "peer_asn", "neighbor_interface", "vrf")
    AUTH_PASSWORD_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ASN_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOR_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PEER_ASN_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOR_INTERFACE_FIELD_NUMBER: _ClassVar[int]
    VRF_FIELD_NUMBER: _ClassVar[int]
    auth_password: str
    description: str
    local_asn: int
    neighbor_address: str
    peer_asn: int
    neighbor_interface: str
    vrf: str
    def __init__(self, auth_password: _Optional[str] = ..., description: _Optional[str] = ..., local_asn: _Optional[int] = ..., neighbor_address: _Optional[str] = ..., peer_asn: _Optional[int] = ..., neighbor_interface: _Optional[str] = ..., vrf: _Optional[str] = ...) -> None: ...

class PeerState(_message.Message):
    __slots__ = ("local_asn", "messages", "neighbor_address", "peer_asn", "session_state", "admin_state", "flops", "router_id", "disconnect_reason", "disconnect_message")
    LOCAL_ASN_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOR_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PEER_ASN_FIELD_NUMBER: _ClassVar[int]
    SESSION_STATE_FIELD_NUMBER: _ClassVar[int]
    ADMIN_STATE_FIELD_NUMBER: _ClassVar[int]
    FLOPS_FIELD_NUMBER: _ClassVar[int]
    ROUTER_ID_FIELD_NUMBER: _ClassVar[int]
    DISCONNECT_REASON_FIELD_NUMBER: _ClassVar[int]
    DISCONNECT_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    local_asn: int
    messages: Messages
    neighbor_address: str
    peer_asn: int
    session_state: int
    admin_state: int
    flops: int
    router_id: str
    disconnect_reason: int
    disconnect_message: str
    def __init__(self, local_asn: _Optional[int] = ..., messages: _Optional[_Union[Messages, _Mapping]] = ..., neighbor_address: _Optional[str] = ..., peer_asn: _Optional[int] = ..., session_state: _Optional[int] = ..., admin_state: _Optional[int] = ..., flops: _Optional[int] = ..., router_id: _Optional[str] = ..., disconnect_reason: _Optional[int] = ..., disconnect_message: _Optional[str] = ...) -> None: ...

class Messages(_message.Message):
    __slots__ = ("received", "sent")
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    received: Message
    sent: Message
    def __init__(self, received: _Optional[_Union[Message, _Mapping]] = ..., sent: _Optional[_Union[Message, _Mapping]] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("update", "total")
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    update: int
    total: int
    def __init__(self, update: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class Timestamp(_message.Message):
    __slots__ = ("seconds",)
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    seconds: int
    def __init__(self, seconds: _Optional[int] = ...) -> None: ...

class Timers(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: TimersState
    def __init__(self, state: _Optional[_Union[TimersState, _Mapping]] = ...) -> None: ...

class TimersState(_message.Message):
    __slots__ = ("uptime", "downtime")
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    DOWNTIME_FIELD_NUMBER: _ClassVar[int]
    uptime: Timestamp
    downtime: Timestamp
    def __init__(self, uptime: _Optional[_Union[Timestamp, _Mapping]] = ..., downtime: _Optional[_Union[Timestamp, _Mapping]] = ...) -> None: ...

class GracefulRestart(_message.Message):
    __slots__ = ("restart_time", "peer_restart_time", "peer_restarting")
    RESTART_TIME_FIELD_NUMBER: _ClassVar[int]
    PEER_RESTART_TIME_FIELD_NUMBER: _ClassVar[int]
    PEER_RESTARTING_FIELD_NUMBER: _ClassVar[int]
    restart_time: int
    peer_restart_time: int
    peer_restarting: bool
    def __init__(self, restart_time: _Optional[int] = ..., peer_restart_time: _Optional[int] = ..., peer_restarting: _Optional[bool] = ...) -> None: ...

class AfiSafi(_message.Message):
    __slots__ = ("mp_graceful_restart", "state", "prefix_limits", "long_lived_graceful_restart")
    MP_GRACEFUL_RESTART_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PREFIX_LIMITS_FIELD_NUMBER: _ClassVar[int]
    LONG_LIVED_GRACEFUL_RESTART_FIELD_NUMBER: _ClassVar[int]
    mp_graceful_restart: MpGracefulRestart
    state: AfiSafiState
    prefix_limits: _containers.RepeatedCompositeFieldContainer[PrefixLimit]
    long_lived_graceful_restart: LongLivedGracefulRestart
    def __init__(self, mp_graceful_restart: _Optional[_Union[MpGracefulRestart, _Mapping]] = ..., state: _Optional[_Union[AfiSafiState, _Mapping]] = ..., prefix_limits: _Optional[_Iterable[_Union[PrefixLimit, _Mapping]]] = ..., long_lived_graceful_restart: _Optional[_Union[LongLivedGracefulRestart, _Mapping]] = ...) -> None: ...

class MpGracefulRestart(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: MpGracefulRestartState
    def __init__(self, state: _Optional[_Union[MpGracefulRestartState, _Mapping]] = ...) -> None: ...

class MpGracefulRestartState(_message.Message):
    __slots__ = ("enabled", "received", "advertised", "end_of_rib_received", "running")
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    ADVERTISED_FIELD_NUMBER: _ClassVar[int]
    END_OF_RIB_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    received: bool
    advertised: bool
    end_of_rib_received: bool
    running: bool
    def __init__(self, enabled: _Optional[bool] = ..., received: _Optional[bool] = ..., advertised: _Optional[bool] = ..., end_of_rib_received: _Optional[bool] = ..., running: _Optional[bool] = ...) -> None: ...

class LongLivedGracefulRestart(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: LongLivedGracefulRestartState
    def __init__(self, state: _Optional[_Union[LongLivedGracefulRestartState, _Mapping]] = ...) -> None: ...

class LongLivedGracefulRestartState(_message.Message):
    __slots__ = ("running",)
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    running: bool
    def __init__(self, running: _Optional[bool] = ...) -> None: ...

class AfiSafiState(_message.Message):
    __slots__ = ("family", "enabled", "received", "accepted", "advertised")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ADVERTISED_FIELD_NUMBER: _ClassVar[int]
    family: Family
    enabled: bool
    received: int
    accepted: int
    advertised: int
    def __init__(self, family: _Optional[_Union[Family, _Mapping]] = ..., enabled: _Optional[bool] = ..., received: _Optional[int] = ..., accepted: _Optional[int] = ..., advertised: _Optional[int] = ...) -> None: ...

class PrefixLimit(_message.Message):
    __slots__ = ("family", "max_prefixes")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    MAX_PREFIXES_FIELD_NUMBER: _ClassVar[int]
    family: Family
    max_prefixes: int
    def __init__(self, family: _Optional[_Union[Family, _Mapping]] = ..., max_prefixes: _Optional[int] = ...) -> None: ...

class WatchEventRequest(_message.Message):
    __slots__ = ("peer", "table", "batch_size")
    class Peer(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Table(_message.Message):
        __slots__ = ("filters",)
        class Filter(_message.Message):
            __slots__ = ("type", "init")
            TYPE_FIELD_NUMBER: _ClassVar[int]
            INIT_FIELD_NUMBER: _ClassVar[int]
            type: int
            init: bool
            def __init__(self, type: _Optional[int] = ..., init: _Optional[bool] = ...) -> None: ...
        FILTERS_FIELD_NUMBER: _ClassVar[int]
        filters: _containers.RepeatedCompositeFieldContainer[WatchEventRequest.Table.Filter]
        def __init__(self, filters: _Optional[_Iterable[_Union[WatchEventRequest.Table.Filter, _Mapping]]] = ...) -> None: ...
    PEER_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    peer: WatchEventRequest.Peer
    table: WatchEventRequest.Table
    batch_size: int
    def __init__(self, peer: _Optional[_Union[WatchEventRequest.Peer, _Mapping]] = ..., table: _Optional[_Union[WatchEventRequest.Table, _Mapping]] = ..., batch_size: _Optional[int] = ...) -> None: ...

class WatchEventResponse(_message.Message):
    __slots__ = ("peer", "table")
    class PeerEvent(_message.Message):
        __slots__ = ("type", "peer")
        TYPE_FIELD_NUMBER: _ClassVar[int]
        PEER_FIELD_NUMBER: _ClassVar[int]
        type: int
        peer: Peer
        def __init__(self, type: _Optional[int] = ..., peer: _Optional[_Union[Peer, _Mapping]] = ...) -> None: ...
    class TableEvent(_message.Message):
        __slots__ = ("paths",)
        PATHS_FIELD_NUMBER: _ClassVar[int]
        paths: _containers.RepeatedCompositeFieldContainer[Path]
        def __init__(self, paths: _Optional[_Iterable[_Union[Path, _Mapping]]] = ...) -> None: ...
    PEER_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    peer: WatchEventResponse.PeerEvent
    table: WatchEventResponse.TableEvent
    def __init__(self, peer: _Optional[_Union[WatchEventResponse.PeerEvent, _Mapping]] = ..., table: _Optional[_Union[WatchEventResponse.TableEvent, _Mapping]] = ...) -> None: ...

class Path(_message.Message):
    __slots__ = ("nlri", "pattrs", "age", "is_withdraw", "validation", "family", "source_asn", "source_id", "filtered", "stale", "neighbor_ip", "identifier")
    NLRI_FIELD_NUMBER: _ClassVar[int]
    PATTRS_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    IS_WITHDRAW_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ASN_FIELD_NUMBER: _ClassVar[int]
    SOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    FILTERED_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOR_IP_FIELD_NUMBER: _ClassVar[int]
    IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    nlri: bytes
    pattrs: _containers.RepeatedScalarFieldContainer[bytes]
    age: Timestamp
    is_withdraw: bool
    validation: Validation
    family: bytes
    source_asn: int
    source_id: str
    filtered: bool
    stale: bool
    neighbor_ip: str
    identifier: int
    def __init__(self, nlri: _Optional[bytes] = ..., pattrs: _Optional[_Iterable[bytes]] = ..., age: _Optional[_Union[Timestamp, _Mapping]] = ..., is_withdraw: _Optional[bool] = ..., validation: _Optional[_Union[Validation, _Mapping]] = ..., family: _Optional[bytes] = ..., source_asn: _Optional[int] = ..., source_id: _Optional[str] = ..., filtered: _Optional[bool] = ..., stale: _Optional[bool] = ..., neighbor_ip: _Optional[str] = ..., identifier: _Optional[int] = ...) -> None: ...

class Validation(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: int
    def __init__(self, state: _Optional[int] = ...) -> None: ...

class TableLookupPrefix(_message.Message):
    __slots__ = ("prefix", "type")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    type: int
    def __init__(self, prefix: _Optional[str] = ..., type: _Optional[int] = ...) -> None: ...

class ListPathRequest(_message.Message):
    __slots__ = ("table_type", "name", "family", "prefixes")
    TABLE_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    PREFIXES_FIELD_NUMBER: _ClassVar[int]
    table_type: int
    name: str
    family: Family
    prefixes: _containers.RepeatedCompositeFieldContainer[TableLookupPrefix]
    def __init__(self, table_type: _Optional[int] = ..., name: _Optional[str] = ..., family: _Optional[_Union[Family, _Mapping]] = ..., prefixes: _Optional[_Iterable[_Union[TableLookupPrefix, _Mapping]]] = ...) -> None: ...

class ListPathResponse(_message.Message):
    __slots__ = ("destination",)
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    destination: Destination
    def __init__(self, destination: _Optional[_Union[Destination, _Mapping]] = ...) -> None: ...

class Destination(_message.Message):
    __slots__ = ("prefix", "paths")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    paths: _containers.RepeatedCompositeFieldContainer[Path]
    def __init__(self, prefix: _Optional[str] = ..., paths: _Optional[_Iterable[_Union[Path, _Mapping]]] = ...) -> None: ...

class ListRpkiRequest(_message.Message):
    __slots__ = ("family",)
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    family: Family
    def __init__(self, family: _Optional[_Union[Family, _Mapping]] = ...) -> None: ...

class ListRpkiResponse(_message.Message):
    __slots__ = ("server",)
    SERVER_FIELD_NUMBER: _ClassVar[int]
    server: RpkiServer
    def __init__(self, server: _Optional[_Union[RpkiServer, _Mapping]] = ...) -> None: ...

class RpkiServer(_message.Message):
    __slots__ = ("conf", "state")
    CONF_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    conf: RpkiServerConf
    state: RpkiServerState
    def __init__(self, conf: _Optional[_Union[RpkiServerConf, _Mapping]] = ..., state: _Optional[_Union[RpkiServerState, _Mapping]] = ...) -> None: ...

class RpkiServerConf(_message.Message):
    __slots__ = ("address", "remote_port")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REMOTE_PORT_FIELD_NUMBER: _ClassVar[int]
    address: str
    remote_port: int
    def __init__(self, address: _Optional[str] = ..., remote_port: _Optional[int] = ...) -> None: ...

class RpkiServerState(_message.Message):
    __slots__ = ("uptime", "up", "record_ipv4", "record_ipv6", "serial", "end_of_data")
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    UP_FIELD_NUMBER: _ClassVar[int]
    RECORD_IPV4_FIELD_NUMBER: _ClassVar[int]
    RECORD_IPV6_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    END_OF_DATA_FIELD_NUMBER: _ClassVar[int]
    uptime: Timestamp
    up: bool
    record_ipv4: int
    record_ipv6: int
    serial: int
    end_of_data: int
    def __init__(self, uptime: _Optional[_Union[Timestamp, _Mapping]] = ..., up: _Optional[bool] = ..., record_ipv4: _Optional[int] = ..., record_ipv6: _Optional[int] = ..., serial: _Optional[int] = ..., end_of_data: _Optional[int] = ...) -> None: ...

class IPAddressPrefix(_message.Message):
    __slots__ = ("prefix_len", "prefix")
    PREFIX_LEN_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    prefix_len: int
    prefix: str
    def __init__(self, prefix_len: _Optional[int] = ..., prefix: _Optional[str] = ...) -> None: ...

class LabeledVPNIPAddressPrefix(_message.Message):
    __slots__ = ("prefix_len", "prefix")
    PREFIX_LEN_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    prefix_len: int
    prefix: str
    def __init__(self, prefix_len: _Optional[int] = ..., prefix: _Optional[str] = ...) -> None: ...

class OriginAttribute(_message.Message):
    __slots__ = ("origin",)
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    origin: int
    def __init__(self, origin: _Optional[int] = ...) -> None: ...

class AsSegment(_message.Message):
    __slots__ = ("type", "numbers")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    type: int
    numbers: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, type: _Optional[int] = ..., numbers: _Optional[_Iterable[int]] = ...) -> None: ...

class AsPathAttribute(_message.Message):
    __slots__ = ("segments",)
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    segments: _containers.RepeatedCompositeFieldContainer[AsSegment]
    def __init__(self, segments: _Optional[_Iterable[_Union[AsSegment, _Mapping]]] = ...) -> None: ...

class NextHopAttribute(_message.Message):
    __slots__ = ("next_hop",)
    NEXT_HOP_FIELD_NUMBER: _ClassVar[int]
    next_hop: str
    def __init__(self, next_hop: _Optional[str] = ...) -> None: ...

class MultiExitDiscAttribute(_message.Message):
    __slots__ = ("med",)
    MED_FIELD_NUMBER: _ClassVar[int]
    med: int
    def __init__(self, med: _Optional[int] = ...) -> None: ...

class LocalPrefAttribute(_message.Message):
    __slots__ = ("local_pref",)
    LOCAL_PREF_FIELD_NUMBER: _ClassVar[int]
    local_pref: int
    def __init__(self, local_pref: _Optional[int] = ...) -> None: ...

class CommunitiesAttribute(_message.Message):
    __slots__ = ("communities",)
    COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    communities: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, communities: _Optional[_Iterable[int]] = ...) -> None: ...

class OriginatorIdAttribute(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class ClusterListAttribute(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ...) -> None: ...

class MpReachNLRIAttribute(_message.Message):
    __slots__ = ("family", "next_hops")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    NEXT_HOPS_FIELD_NUMBER: _ClassVar[int]
    family: Family
    next_hops: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, family: _Optional[_Union[Family, _Mapping]] = ..., next_hops: _Optional[_Iterable[str]] = ...) -> None: ...

class LargeCommunity(_message.Message):
    __slots__ = ("global_admin", "local_data1", "local_data2")
    GLOBAL_ADMIN_FIELD_NUMBER: _ClassVar[int]
    LOCAL_DATA1_FIELD_NUMBER: _ClassVar[int]
    LOCAL_DATA2_FIELD_NUMBER: _ClassVar[int]
    global_admin: int
    local_data1: int
    local_data2: int
    def __init__(self, global_admin: _Optional[int] = ..., local_data1: _Optional[int] = ..., local_data2: _Optional[int] = ...) -> None: ...

class LargeCommunitiesAttribute(_message.Message):
    __slots__ = ("communities",)
    COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    communities: _containers.RepeatedCompositeFieldContainer[LargeCommunity]
    def __init__(self, communities: _Optional[_Iterable[_Union[LargeCommunity, _Mapping]]] = ...) -> None: ...

class TwoOctetAsSpecificExtended(_message.Message):
    __slots__ = ("is_transitive", "sub_type", "asn", "local_admin")
    IS_TRANSITIVE_FIELD_NUMBER: _ClassVar[int]
    SUB_TYPE_FIELD_NUMBER: _ClassVar[int]
    ASN_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ADMIN_FIELD_NUMBER: _ClassVar[int]
    is_transitive: bool
    sub_type: int
    asn: int
    local_admin: int
    def __init__(self, is_transitive: _Optional[bool] = ..., sub_type: _Optional[int] = ..., asn: _Optional[int] = ..., local_admin: _Optional[int] = ...) -> None: ...

class IPv4AddressSpecificExtended(_message.Message):
    __slots__ = ("is_transitive", "sub_type", "address", "local_admin")
    IS_TRANSITIVE_FIELD_NUMBER: _ClassVar[int]
    SUB_TYPE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ADMIN_FIELD_NUMBER: _ClassVar[int]
    is_transitive: bool
    sub_type: int
    address: str
    local_admin: int
    def __init__(self, is_transitive: _Optional[bool] = ..., sub_type: _Optional[int] = ..., address: _Optional[str] = ..., local_admin: _Optional[int] = ...) -> None: ...

class FourOctetAsSpecificExtended(_message.Message):
    __slots__ = ("is_transitive", "sub_type", "asn", "local_admin")
    IS_TRANSITIVE_FIELD_NUMBER: _ClassVar[int]
    SUB_TYPE_FIELD_NUMBER: _ClassVar[int]
    ASN_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ADMIN_FIELD_NUMBER: _ClassVar[int]
    is_transitive: bool
    sub_type: int
    asn: int
    local_admin: int
    def __init__(self, is_transitive: _Optional[bool] = ..., sub_type: _Optional[int] = ..., asn: _Optional[int] = ..., local_admin: _Optional[int] = ...) -> None: ...

class LinkBandwidthExtended(_message.Message):
    __slots__ = ("asn", "bandwidth")
    ASN_FIELD_NUMBER: _ClassVar[int]
    BANDWIDTH_FIELD_NUMBER: _ClassVar[int]
    asn: int
    bandwidth: float
    def __init__(self, asn: _Optional[int] = ..., bandwidth: _Optional[float] = ...) -> None: ...

class ValidationExtended(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: int
    def __init__(self, state: _Optional[int] = ...) -> None: ...

class ColorExtended(_message.Message):
    __slots__ = ("color",)
    COLOR_FIELD_NUMBER: _ClassVar[int]
    color: int
    def __init__(self, color: _Optional[int] = ...) -> None: ...

class OpaqueExtended(_message.Message):
    __slots__ = ("is_transitive", "value")
    IS_TRANSITIVE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    is_transitive: bool
    value: bytes
    def __init__(self, is_transitive: _Optional[bool] = ..., value: _Optional[bytes] = ...) -> None: ...

class UnknownExtended(_message.Message):
    __slots__ = ("type", "value")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    type: int
    value: bytes
    def __init__(self, type: _Optional[int] = ..., value: _Optional[bytes] = ...) -> None: ...

class NLRI(_message.Message):
    __slots__ = ("prefix", "labeled_vpn_ip_prefix")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    LABELED_VPN_IP_PREFIX_FIELD_NUMBER: _ClassVar[int]
    prefix: IPAddressPrefix
    labeled_vpn_ip_prefix: LabeledVPNIPAddressPrefix
    def __init__(self, prefix: _Optional[_Union[IPAddressPrefix, _Mapping]] = ..., labeled_vpn_ip_prefix: _Optional[_Union[LabeledVPNIPAddressPrefix, _Mapping]] = ...) -> None: ...

class ExtendedCommunity(_message.Message):
    __slots__ = ("unknown", "two_octet_as_specific", "ipv4_address_specific", "four_octet_as_specific", "link_bandwidth", "validation", "color", "opaque")
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    TWO_OCTET_AS_SPECIFIC_FIELD_NUMBER: _ClassVar[int]
    IPV4_ADDRESS_SPECIFIC_FIELD_NUMBER: _ClassVar[int]
    FOUR_OCTET_AS_SPECIFIC_FIELD_NUMBER: _ClassVar[int]
    LINK_BANDWIDTH_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    COLOR_FIELD_NUMBER: _ClassVar[int]
    OPAQUE_FIELD_NUMBER: _ClassVar[int]
    unknown: UnknownExtended
    two_octet_as_specific: TwoOctetAsSpecificExtended
    ipv4_address_specific: IPv4AddressSpecificExtended
    four_octet_as_specific: FourOctetAsSpecificExtended
    link_bandwidth: LinkBandwidthExtended
    validation: ValidationExtended
    color: ColorExtended
    opaque: OpaqueExtended
    def __init__(self, unknown: _Optional[_Union[UnknownExtended, _Mapping]] = ..., two_octet_as_specific: _Optional[_Union[TwoOctetAsSpecificExtended, _Mapping]] = ..., ipv4_address_specific: _Optional[_Union[IPv4AddressSpecificExtended, _Mapping]] = ..., four_octet_as_specific: _Optional[_Union[FourOctetAsSpecificExtended, _Mapping]] = ..., link_bandwidth: _Optional[_Union[LinkBandwidthExtended, _Mapping]] = ..., validation: _Optional[_Union[ValidationExtended, _Mapping]] = ..., color: _Optional[_Union[ColorExtended, _Mapping]] = ..., opaque: _Optional[_Union[OpaqueExtended, _Mapping]] = ...) -> None: ...

class ExtendedCommunitiesAttribute(_message.Message):
    __slots__ = ("communities",)
    COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    communities: _containers.RepeatedCompositeFieldContainer[ExtendedCommunity]
    def __init__(self, communities: _Optional[_Iterable[_Union[ExtendedCommunity, _Mapping]]] = ...) -> None: ...

class Attribute(_message.Message):
    __slots__ = ("origin", "as_path", "next_hop", "multi_exit_disc", "local_pref", "communities", "originator_id", "cluster_list", "mp_reach", "extended_communities", "large_communities")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    AS_PATH_FIELD_NUMBER: _ClassVar[int]
    NEXT_HOP_FIELD_NUMBER: _ClassVar[int]
    MULTI_EXIT_DISC_FIELD_NUMBER: _ClassVar[int]
    LOCAL_PREF_FIELD_NUMBER: _ClassVar[int]
    COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    ORIGINATOR_ID_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_LIST_FIELD_NUMBER: _ClassVar[int]
    MP_REACH_FIELD_NUMBER: _ClassVar[int]
    EXTENDED_COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    LARGE_COMMUNITIES_FIELD_NUMBER: _ClassVar[int]
    origin: OriginAttribute
    as_path: AsPathAttribute
    next_hop: NextHopAttribute
    multi_exit_disc: MultiExitDiscAttribute
    local_pref: LocalPrefAttribute
    communities: CommunitiesAttribute
    originator_id: OriginatorIdAttribute
    cluster_list: ClusterListAttribute
    mp_reach: MpReachNLRIAttribute
    extended_communities: ExtendedCommunitiesAttribute
    large_communities: LargeCommunitiesAttribute
    def __init__(self, origin: _Optional[_Union[OriginAttribute, _Mapping]] = ..., as_path: _Optional[_Union[AsPathAttribute, _Mapping]] = ..., next_hop: _Optional[_Union[NextHopAttribute, _Mapping]] = ..., multi_exit_disc: _Optional[_Union[MultiExitDiscAttribute, _Mapping]] = ..., local_pref: _Optional[_Union[LocalPrefAttribute, _Mapping]] = ..., communities: _Optional[_Union[CommunitiesAttribute, _Mapping]] = ..., originator_id: _Optional[_Union[OriginatorIdAttribute, _Mapping]] = ..., cluster_list: _Optional[_Union[ClusterListAttribute, _Mapping]] = ..., mp_reach: _Optional[_Union[MpReachNLRIAttribute, _Mapping]] = ..., extended_communities: _Optional[_Union[ExtendedCommunitiesAttribute, _Mapping]] = ..., large_communities: _Optional[_Union[LargeCommunitiesAttribute, _Mapping]] = ...) -> None: ...
