"""What can stand in a producer's way. `retriable` says whether the same call may succeed later."""

from __future__ import annotations

from schemas.errors import HubError


class JournalBusy(HubError):
    """Another process owns this journal."""

    code = "journal.busy"
    hint = "One journal has one instance. Stop the other process, or give this one its own instance name."


class JournalForeign(HubError):
    """This file is not a journal of this producer instance."""

    code = "journal.foreign"
    hint = "Check the role directory and HUB_INSTANCE; a journal is never shared or renamed."


class JournalUnavailable(HubError):
    """The journal cannot be written, so nothing is accepted."""

    code = "journal.unavailable"
    retriable = True
    hint = "Nothing was accepted. Free space under the journal and submit the same input again."


class JournalConflict(HubError):
    """A step contradicts what the journal holds."""

    code = "journal.conflict"


class AudienceKeyMissing(HubError):
    """No audience key is valid now."""

    code = "audience.missing"
    retriable = True
    hint = "`eltax-hub keys rotate` makes and publishes the coming months' keys."


class AudienceKeyRefused(HubError):
    """An audience key goes back to an older epoch or differs from the one already used."""

    code = "audience.refused"
    hint = "Somebody may be replaying or replacing audience keys. Compare the published key with its owner's."


class EventTooLarge(HubError):
    """The sealed event would be larger than the ingress limit."""

    code = "limit.event"


class EventVoid(HubError):
    """Kafka refused this event for good; a signed checkpoint lists it as void."""

    code = "event.void"


class Growing(HubError):
    """The topics are growing: nothing is begun before the next generation of them is there."""

    code = "hub.growing"
    retriable = True
    hint = "It takes a minute or two; then submit the same input again."


class EarlierGeneration(HubError):
    """This journal has events on their way to a generation of topics that nobody may write to any more."""

    code = "journal.generation"
    hint = "It was away while the topics grew. Nobody has these events: docs/runbooks/growing.md says what to do."


class ProducerClosed(HubError):
    """The producer is closing and takes no more."""

    code = "producer.closed"
    retriable = True
