"""One request for each thing that somebody may try, and the broker's own answer to it, as an error code.

`ruler` asks so that nothing is changed where the request allows it; everybody else means it.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tests.attacks.wire import (
    INT8,
    INT16,
    INT32,
    INT64,
    TEXT,
    Array,
    Boolean,
    Bytes,
    CompactArray,
    CompactBytes,
    CompactString,
    Float64,
    TaggedFields,
    Wire,
    batch,
    rows,
    schema,
)
from topics.access import ClusterDeed, Deed, GroupDeed

GOOD: Final = 0
TOPIC_DENIED: Final = 29
GROUP_DENIED: Final = 30
CLUSTER_DENIED: Final = 31
TRANSACTION_DENIED: Final = 53
TOPIC_EXISTS: Final = 36
POLICY_VIOLATION: Final = 44
_GROUP_NOT_FOUND: Final = 69
_NOT_REGISTERED: Final = 102
NODE: Final = "1"
_TOPIC, _BROKER = 2, 4
_SECONDS = 10_000

Codes = Mapping[str, int]


def create(wire: Wire, topics: Sequence[str], *, ruler: bool) -> Codes:
    form = schema(rows(TEXT, INT32, INT16, rows(INT32, Array(INT32)), rows(TEXT, TEXT)), INT32, Boolean)
    wanted = [(topic, 1, 1, [], []) for topic in topics]
    _, found = wire.ask(19, 2, form, (wanted, _SECONDS, ruler), schema(INT32, rows(TEXT, INT16, TEXT)))
    return {topic: code for topic, code, _ in found}


def delete(wire: Wire, topics: Sequence[str]) -> Codes:
    _, found = wire.ask(20, 1, schema(Array(TEXT), INT32), (topics, _SECONDS), schema(INT32, rows(TEXT, INT16)))
    return dict(found)


def list_offsets(wire: Wire, topics: Sequence[str]) -> Codes:
    form = schema(INT32, rows(TEXT, rows(INT32, INT64)))
    answer = schema(rows(TEXT, rows(INT32, INT16, INT64, INT64)))
    (found,) = wire.ask(2, 1, form, (-1, [(topic, [(0, -1)]) for topic in topics]), answer)
    return {topic: partitions[0][1] for topic, partitions in found}


def epochs(wire: Wire, topics: Sequence[str]) -> Codes:
    form = schema(INT32, rows(TEXT, rows(INT32, INT32, INT32)))
    answer = schema(INT32, rows(TEXT, rows(INT16, INT32, INT32, INT64)))
    _, found = wire.ask(23, 3, form, (-1, [(topic, [(0, -1, 0)]) for topic in topics]), answer)
    return {topic: partitions[0][0] for topic, partitions in found}


def producers(wire: Wire, topics: Sequence[str]) -> Codes:
    """Who writes to a topic now: a reader's right."""
    tags = TaggedFields
    form = schema(CompactArray(("t", CompactString()), ("p", CompactArray(INT32)), ("_", tags)), tags)
    told = CompactArray(("i", INT64), ("e", INT32), ("s", INT32), ("t", INT64), ("c", INT32), ("o", INT64), ("_", tags))
    partition = CompactArray(("i", INT32), ("c", INT16), ("m", CompactString()), ("a", told), ("_", tags))
    answer = schema(INT32, CompactArray(("t", CompactString()), ("p", partition), ("_", tags)))
    wanted = ([(topic, [0], {}) for topic in topics], {})
    _, found = wire.ask(61, 0, form, wanted, answer, flexible=True)
    return {topic: partitions[0][1] for topic, partitions, _ in found}


def delete_records(wire: Wire, topics: Sequence[str]) -> Codes:
    form = schema(rows(TEXT, rows(INT32, INT64)), INT32)
    answer = schema(INT32, rows(TEXT, rows(INT32, INT64, INT16)))
    _, found = wire.ask(21, 0, form, ([(topic, [(0, 0)]) for topic in topics], _SECONDS), answer)
    return {topic: partitions[0][2] for topic, partitions in found}


def add_partitions(wire: Wire, topics: Sequence[str], *, ruler: bool) -> Codes:
    form = schema(rows(TEXT, INT32, Array(Array(INT32))), INT32, Boolean)
    answer = schema(INT32, rows(TEXT, INT16, TEXT))
    _, found = wire.ask(37, 0, form, ([(topic, 50, None) for topic in topics], _SECONDS, ruler), answer)
    return {topic: code for topic, code, _ in found}


def describe_configs(wire: Wire, names: Sequence[str], kind: int = _TOPIC) -> Codes:
    form = schema(rows(INT8, TEXT, Array(TEXT)), Boolean)
    entry = rows(TEXT, TEXT, Boolean, INT8, Boolean, rows(TEXT, TEXT, INT8))
    answer = schema(INT32, rows(INT16, TEXT, INT8, TEXT, entry))
    _, found = wire.ask(32, 1, form, ([(kind, name, ["retention.ms"]) for name in names], False), answer)
    return {name: code for code, _, _, name, _ in found}


def alter_configs(wire: Wire, names: Sequence[str], *, ruler: bool, kind: int = _TOPIC) -> Codes:
    key, value = ("retention.ms", "1") if kind == _TOPIC else ("log.cleaner.threads", "2")
    form = schema(rows(INT8, TEXT, rows(TEXT, INT8, TEXT)), Boolean)
    answer = schema(INT32, rows(INT16, TEXT, INT8, TEXT))
    _, found = wire.ask(44, 0, form, ([(kind, name, [(key, 0, value)]) for name in names], ruler), answer)
    return {name: code for code, _, _, name in found}


def on_topics(wire: Wire, topics: Sequence[str], *, ruler: bool) -> dict[Deed, list[Codes]]:
    """What the broker says to each deed on each topic; several requests where there are several ways."""
    return {
        Deed.READ: [{topic: code for topic, (code, _) in wire.fetch(topics).items()}, producers(wire, topics)],
        Deed.WRITE: [wire.produce(topics, batch())],
        Deed.DESCRIBE: [wire.metadata(topics), list_offsets(wire, topics), epochs(wire, topics)],
        Deed.CREATE: [create(wire, topics, ruler=ruler)],
        Deed.DELETE_RECORDS: [delete_records(wire, topics)],
        Deed.DESCRIBE_CONFIGS: [describe_configs(wire, topics)],
        Deed.ALTER_CONFIGS: [alter_configs(wire, topics, ruler=ruler)],
        Deed.ADD_PARTITIONS: [add_partitions(wire, topics, ruler=ruler)],
        # whoever may is asked last, and apart: afterwards there is nothing left to try
        **({} if ruler else {Deed.DELETE: [delete(wire, topics)]}),
    }


def _join(wire: Wire, group: str) -> int:
    form = schema(TEXT, INT32, TEXT, TEXT, rows(TEXT, Bytes))
    answer = schema(INT16, INT32, TEXT, TEXT, TEXT, rows(TEXT, Bytes))
    code, _, _, _, member, _ = wire.ask(11, 0, form, (group, 10_000, "", "consumer", [("range", b"")]), answer)
    if code == GOOD:
        (left,) = wire.ask(13, 0, schema(TEXT, TEXT), (group, member), schema(INT16))
        assert left == GOOD
    return int(code)


def _heartbeat(wire: Wire, group: str) -> int:
    form = schema(TEXT, INT32, TEXT)
    return int(wire.ask(12, 0, form, (group, 1, "nobody"), schema(INT16))[0])


def _new_heartbeat(wire: Wire, group: str) -> int:
    """The newer protocol of groups: its own request, and its own check of rights."""
    text, tags = CompactString(), TaggedFields
    form = schema(text, text, INT32, text, text, INT32, CompactArray(text), text, CompactArray(INT32), tags)
    values = (group, "nobody", 0, None, None, 60_000, [], None, [], {})
    return int(wire.ask(68, 0, form, values, schema(INT32, INT16), flexible=True)[1])


def _share_heartbeat(wire: Wire, group: str) -> int:
    text, tags = CompactString(), TaggedFields
    form = schema(text, text, INT32, text, CompactArray(text), tags)
    return int(wire.ask(76, 1, form, (group, "nobody", 0, None, [], {}), schema(INT32, INT16), flexible=True)[1])


def _commit(wire: Wire, group: str, topic: str) -> int:
    form = schema(TEXT, INT32, TEXT, INT64, rows(TEXT, rows(INT32, INT64, TEXT)))
    answer = schema(rows(TEXT, rows(INT32, INT16)))
    (found,) = wire.ask(8, 2, form, (group, -1, "", -1, [(topic, [(0, 7, "")])]), answer)
    return int(found[0][1][0][1])


def _described(wire: Wire, group: str) -> int:
    answer = schema(rows(INT16, TEXT, TEXT, TEXT, TEXT, rows(TEXT, TEXT, TEXT, Bytes, Bytes)))
    return int(wire.ask(15, 0, schema(Array(TEXT)), ([group],), answer)[0][0][0])


def _offsets(wire: Wire, group: str) -> int:
    answer = schema(rows(TEXT, rows(INT32, INT64, TEXT, INT16)), INT16)
    return int(wire.ask(9, 2, schema(TEXT, rows(TEXT, Array(INT32))), (group, []), answer)[1])


def coordinator(wire: Wire, name: str, kind: int) -> int:
    """FindCoordinator of a group (0) or a transactional id (1)."""
    answer = schema(INT32, INT16, TEXT, INT32, TEXT, INT32)
    return int(wire.ask(10, 1, schema(TEXT, INT8), (name, kind), answer)[1])


def _delete_group(wire: Wire, group: str) -> int:
    _, found = wire.ask(42, 0, schema(Array(TEXT)), ([group],), schema(INT32, rows(TEXT, INT16)))
    return GOOD if found[0][1] == _GROUP_NOT_FOUND else int(found[0][1])


def _delete_offsets(wire: Wire, group: str, topic: str) -> int:
    form = schema(TEXT, rows(TEXT, Array(INT32)))
    code = wire.ask(47, 0, form, (group, [(topic, [0])]), schema(INT16, INT32, rows(TEXT, rows(INT32, INT16))))[0]
    return GOOD if code == _GROUP_NOT_FOUND else int(code)


def on_group(wire: Wire, group: str, topic: str) -> dict[GroupDeed, list[int]]:
    """What the broker says to each deed on a group; `topic` is one that everybody reads."""
    joined = [_join(wire, group)]
    if joined == [GROUP_DENIED]:  # who may would stay a member
        joined += [_heartbeat(wire, group), _new_heartbeat(wire, group), _share_heartbeat(wire, group)]
    return {
        GroupDeed.JOIN: joined,
        GroupDeed.COMMIT: [_commit(wire, group, topic)],
        GroupDeed.DESCRIBE: [_described(wire, group), _offsets(wire, group), coordinator(wire, group, 0)],
        GroupDeed.DELETE: [_delete_offsets(wire, group, topic), _delete_group(wire, group)],
    }


def in_transaction(wire: Wire, name: str, producer: int, epoch: int, group: str, topic: str) -> list[int]:
    """Everything that can be done in the name of a transactional id with a producer id that was seen."""
    added = wire.ask(
        24, 0, schema(TEXT, INT64, INT16, rows(TEXT, Array(INT32))), (name, producer, epoch, [(topic, [0])]),
        schema(INT32, rows(TEXT, rows(INT32, INT16))),
    )  # fmt: skip
    with_group = wire.ask(25, 0, schema(TEXT, INT64, INT16, TEXT), (name, producer, epoch, group), schema(INT32, INT16))
    committed = wire.ask(
        28, 0, schema(TEXT, TEXT, INT64, INT16, rows(TEXT, rows(INT32, INT64, TEXT))),
        (name, group, producer, epoch, [(topic, [(0, 7, "")])]), schema(INT32, rows(TEXT, rows(INT32, INT16))),
    )  # fmt: skip
    return [
        int(added[1][0][1][0][1]),
        int(with_group[1]),
        int(committed[1][0][1][0][1]),
        wire.produce([topic], batch(producer=producer, epoch=epoch, transactional=True), transactional=name)[topic],
        end(wire, name, producer, epoch, commit=False),
        coordinator(wire, name, 1),
        wire.init_producer(name)[0],
    ]


def end(wire: Wire, name: str, producer: int, epoch: int, *, commit: bool) -> int:
    """EndTxn."""
    form = schema(TEXT, INT64, INT16, Boolean)
    return int(wire.ask(26, 0, form, (name, producer, epoch, commit), schema(INT32, INT16))[1])


def begin(wire: Wire, name: str, producer: int, epoch: int, topic: str) -> int:
    """AddPartitionsToTxn of partition 0."""
    form = schema(TEXT, INT64, INT16, rows(TEXT, Array(INT32)))
    answer = schema(INT32, rows(TEXT, rows(INT32, INT16)))
    return int(wire.ask(24, 0, form, (name, producer, epoch, [(topic, [0])]), answer)[1][0][1][0][1])


_ACL = (INT8, TEXT, INT8, TEXT, TEXT, INT8, INT8)


def _acls(wire: Wire) -> int:
    return int(wire.ask(29, 1, schema(*_ACL), (1, None, 1, None, None, 1, 1), schema(INT32, INT16))[1])


def _grant(wire: Wire, principal: str) -> int:
    """A right that changes nothing, and would be everything with another name; then away with it."""
    row = (2, f"nothing-{principal}", 3, f"User:CN={principal}", "*", 2, 3)
    created = wire.ask(30, 1, schema(rows(*_ACL)), ([row],), schema(INT32, rows(INT16, TEXT)))[1][0][0]
    form = schema(INT32, rows(INT16))
    deleted = wire.ask(31, 1, schema(rows(*_ACL)), ([row],), form)[1][0]
    assert created == deleted
    return int(created)


def _quotas(wire: Wire) -> int:
    form = schema(rows(TEXT, INT8, TEXT), Boolean)
    return int(wire.ask(48, 0, form, ([("user", 2, None)], False), schema(INT32, INT16))[1])


def _set_quota(wire: Wire, principal: str, *, ruler: bool) -> int:
    form = schema(rows(rows(TEXT, TEXT), rows(TEXT, Float64, Boolean)), Boolean)
    entry = ([("user", f"CN={principal}")], [("producer_byte_rate", 1e12, False)])
    answer = schema(INT32, rows(INT16, TEXT, rows(TEXT, TEXT)))
    return int(wire.ask(49, 0, form, ([entry], ruler), answer)[1][0][0])


def _log_directories(wire: Wire) -> int:
    form = schema(CompactArray(INT32), TaggedFields)
    return int(wire.ask(35, 3, form, (None, {}), schema(INT32, INT16), flexible=True)[1])


def _move(wire: Wire, topic: str) -> int:
    tags = TaggedFields
    partitions = CompactArray(("p", INT32), ("r", CompactArray(INT32)), ("_", tags))
    form = schema(INT32, CompactArray(("t", CompactString()), ("p", partitions), ("_", tags)), tags)
    values = (_SECONDS, [(topic, [(0, [1], {})], {})], {})
    return int(wire.ask(45, 0, form, values, schema(INT32, INT16), flexible=True)[1])


def _marker(wire: Wire, topic: str, producer: int) -> int:
    """Ends another's transaction past its coordinator."""
    tags = TaggedFields
    topics = CompactArray(("t", CompactString()), ("p", CompactArray(INT32)), ("_", tags))
    form = schema(
        CompactArray(("i", INT64), ("e", INT16), ("c", Boolean), ("t", topics), ("o", INT32), ("_", tags)), tags
    )
    told = CompactArray(("p", INT32), ("c", INT16), ("_", tags))
    named = CompactArray(("t", CompactString()), ("p", told), ("_", tags))
    answer = schema(CompactArray(("i", INT64), ("t", named), ("_", tags)))
    values = ([(producer, 0, True, [(topic, [0], {})], 0, {})], {})
    (found,) = wire.ask(27, 1, form, values, answer, flexible=True)
    return int(found[0][1][0][1][0][1])


def _unregister(wire: Wire, *, ruler: bool) -> int:
    form = schema(INT32, TaggedFields)
    code = wire.ask(64, 0, form, (99 if ruler else int(NODE), {}), schema(INT32, INT16), flexible=True)[1]
    return GOOD if ruler and code == _NOT_REGISTERED else int(code)


def on_cluster(wire: Wire, principal: str, topic: str, producer: int, *, ruler: bool) -> dict[ClusterDeed, int]:
    """What the broker says to each deed on the cluster."""
    asked: dict[ClusterDeed, Callable[[], int]] = {
        ClusterDeed.PRODUCE_IDEMPOTENTLY: lambda: wire.init_producer(None)[0],
        ClusterDeed.DESCRIBE_ACLS: lambda: _acls(wire),
        ClusterDeed.ALTER_ACLS: lambda: _grant(wire, principal),
        ClusterDeed.DESCRIBE_CONFIGS: lambda: describe_configs(wire, [NODE], _BROKER)[NODE],
        ClusterDeed.ALTER_CONFIGS: lambda: alter_configs(wire, [NODE], ruler=ruler, kind=_BROKER)[NODE],
        ClusterDeed.DESCRIBE_QUOTAS: lambda: _quotas(wire),
        ClusterDeed.ALTER_QUOTAS: lambda: _set_quota(wire, principal, ruler=ruler),
        ClusterDeed.DESCRIBE: lambda: _log_directories(wire),
        ClusterDeed.MOVE_PARTITIONS: lambda: _move(wire, topic),
        ClusterDeed.WRITE_MARKERS: lambda: _marker(wire, topic, producer),
        ClusterDeed.UNREGISTER: lambda: _unregister(wire, ruler=ruler),
    }
    return {deed: ask() for deed, ask in asked.items()}


_NOT_YET: Final = (14, 15, 16)
"""the coordinator's partition is made or read only now"""


def warm_up(wire: Wire) -> None:
    """Wait until the coordinators of all groups and transactional ids answer; asked by who may."""
    deadline = time.monotonic() + 60
    for number in range(24):  # over the four partitions of each, whatever the names hash to
        while {
            wire.init_producer(f"warm/{number}")[0],
            _offsets(wire, f"warm/{number}"),
            coordinator(wire, f"warm/{number}", 0),
            coordinator(wire, f"warm/{number}", 1),
        } & set(_NOT_YET):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def to_controller(wire: Wire, topic: str) -> dict[str, int]:
    """What only a broker of the cluster may say to its controller, asked on the controller's own listener."""
    tags, octets = TaggedFields, CompactBytes
    name = b"\0\0" + bytes([5]) + b"User" + bytes([9]) + b"CN=admin" + b"\0\0"  # a principal as brokers write it
    inner = (
        struct.pack(">hhih", 20, 1, 1, 6) + b"attack" + struct.pack(">ih", 1, len(topic)) + topic.encode() + b"\0" * 4
    )
    wrapped = wire.ask(
        58,
        0,
        schema(octets, octets, octets, tags),
        (inner, name, b"\x7f\0\0\1", {}),
        schema(octets, INT16),
        flexible=True,
    )[1]
    ids = wire.ask(67, 0, schema(INT32, INT64, tags), (int(NODE), 0, {}), schema(INT32, INT16), flexible=True)[1]
    beat = wire.ask(
        63, 0, schema(INT32, INT64, INT64, Boolean, Boolean, tags), (int(NODE), 0, 0, True, True, {}),
        schema(INT32, INT16), flexible=True,
    )[1]  # fmt: skip
    return {
        "wraps a request in another's name": int(wrapped),
        "takes producer ids": int(ids),
        "speaks as the broker": int(beat),
        "takes the broker out": _unregister(wire, ruler=False),
    }


def listed_groups(wire: Wire) -> set[str]:
    """ListGroups: the groups that somebody is told of."""
    return {group for group, _ in wire.ask(16, 0, schema(), (), schema(INT16, rows(TEXT, TEXT)))[1]}


def listed_transactions(wire: Wire) -> set[str]:
    """ListTransactions: the transactional ids that somebody is told of."""
    tags, text = TaggedFields, CompactString()
    form = schema(CompactArray(text), CompactArray(INT64), tags)
    one = CompactArray(("n", text), ("p", INT64), ("s", text), ("_", tags))
    answer = schema(INT32, INT16, CompactArray(text), one)
    _, code, _, found = wire.ask(66, 0, form, ([], [], {}), answer, flexible=True)
    assert code == GOOD
    return {name for name, *_ in found}
