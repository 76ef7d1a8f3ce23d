"""What Kafka can refuse, by what has to be done about it. No text of the client or the broker comes through."""

from __future__ import annotations

from typing import ClassVar, Final

from aiokafka import errors as kafka

from schemas.errors import HubError


class TransportError(HubError):
    """Kafka did not do what was asked."""

    code: ClassVar[str] = "kafka"


class BrokerUnavailable(TransportError):
    """No broker answers, or it cannot serve just now."""

    code: ClassVar[str] = "kafka.unavailable"
    retriable: ClassVar[bool] = True
    hint: ClassVar[str] = "It is tried again. Is the cluster up, and is this the right address and certificate?"


class NotAuthorized(TransportError):
    """The broker refused: this principal lacks the right."""

    code: ClassVar[str] = "kafka.not-authorized"
    hint: ClassVar[str] = "Compare `eltax-hub topics plan`; rights come from the declaration only."


class FinalRefusal(TransportError):
    """The broker refuses this record for good."""

    code: ClassVar[str] = "kafka.refused"


class ForeignProducer(TransportError):
    """Another process has taken over this transactional id; this one must end."""

    code: ClassVar[str] = "kafka.fenced"


class TransactionFailed(TransportError):
    """A transaction failed and was given up; none of it is visible. `cause` is the code of what the broker said."""

    code: ClassVar[str] = "kafka.transaction-failed"
    retriable: ClassVar[bool] = True

    def __init__(self, detail: str = "", *, cause: str = "") -> None:
        """Make the error; `cause` is a code of this room."""
        super().__init__(detail)
        self.cause = cause or self.code


class TransactionRefused(TransactionFailed):
    """A transaction was given up because the broker refuses one of its records for good."""

    code: ClassVar[str] = "kafka.transaction-refused"


class OffsetGone(TransportError):
    """The records at the wanted offset are no longer there: retention deleted them before they were read."""

    code: ClassVar[str] = "kafka.offset-gone"
    hint: ClassVar[str] = "Events may be missing here. Compare `eltax-hub reconcile`, then have them sent again."


class TopicMissing(TransportError):
    """The topic or partition does not exist."""

    code: ClassVar[str] = "kafka.topic-missing"
    retriable: ClassVar[bool] = True
    hint: ClassVar[str] = "`eltax-hub topics apply` creates what the declaration names."


_FENCED: Final = (kafka.ProducerFenced, kafka.InvalidProducerEpoch, kafka.TransactionCoordinatorFenced)
_FINAL: Final = (kafka.MessageSizeTooLargeError, kafka.RecordListTooLargeError, kafka.InvalidMessageError)
_RIGHTS: Final = (
    kafka.TopicAuthorizationFailedError,
    kafka.GroupAuthorizationFailedError,
    kafka.ClusterAuthorizationFailedError,
    kafka.TransactionalIdAuthorizationFailed,
)
_MISSING: Final = (kafka.UnknownTopicOrPartitionError,)
_GONE: Final = (kafka.OffsetOutOfRangeError, kafka.NoOffsetForPartitionError)
_INVALID_RECORD: Final = 87


def from_client(error: BaseException) -> bool:
    """Say whether an error is the Kafka client's or the network's, so that `translate` has a word for it."""
    return isinstance(error, (kafka.KafkaError, OSError))


def translate(error: BaseException, about: str = "") -> TransportError:
    """The error of this room that stands for one of the client's; `about` names a topic or an id."""
    kind: type[TransportError] = BrokerUnavailable
    for family, ours in (
        (_FENCED, ForeignProducer),
        (_FINAL, FinalRefusal),
        (_RIGHTS, NotAuthorized),
        (_MISSING, TopicMissing),
        (_GONE, OffsetGone),
    ):
        if isinstance(error, family):
            kind = ours
    if getattr(error, "errno", None) == _INVALID_RECORD:
        kind = FinalRefusal
    return kind(f"{about} ({type(error).__name__})".strip())
