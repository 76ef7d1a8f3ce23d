"""How Kafka is spoken: readers, batch writers, transactional writers, the administrator's requests.

aiokafka lives here and nowhere else. This room moves bytes; it does not know what a submission is. Its
defaults are ours, not the client's: acks of all in-sync replicas, idempotent producers, batches built per
partition, read_committed, no automatic commit, and an offset that is gone is an error.
"""

from hub.transport.endpoint import Endpoint, TlsIdentity, ssl_context
from hub.transport.errors import (
    BrokerUnavailable,
    FinalRefusal,
    ForeignProducer,
    NotAuthorized,
    OffsetGone,
    TransactionFailed,
    TransactionRefused,
    TransportError,
)
from hub.transport.group import GroupReader
from hub.transport.reader import PartitionReader
from hub.transport.records import KafkaRecord, Outgoing
from hub.transport.transactional import Hooks, TransactionalWriter
from hub.transport.writer import BatchWriter

__all__ = [
    "BatchWriter",
    "BrokerUnavailable",
    "Endpoint",
    "FinalRefusal",
    "ForeignProducer",
    "GroupReader",
    "Hooks",
    "KafkaRecord",
    "NotAuthorized",
    "OffsetGone",
    "Outgoing",
    "PartitionReader",
    "TlsIdentity",
    "TransactionFailed",
    "TransactionRefused",
    "TransactionalWriter",
    "TransportError",
    "ssl_context",
]
