"""Whether a refused record would be what it says now: sessions, signatures, digests and places, judged again.

The same judge as a desk's (`hub.reading.intake`), without any key: it opens no section, and the router's mac is
for the router alone to judge. So `holds` means that nothing but mac and section contents can be wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from consumers.assembly import produced, routed, sessions_topics
from consumers.operator.book import Known
from consumers.operator.reading import ReadingRole
from hub.crypto.secret import Secret
from hub.envelope.inspection import PRODUCED
from hub.envelope.letters import Content, Place
from hub.envelope.names import Kind, parse_topic
from hub.envelope.reasons import Reason
from hub.envelope.records import Session
from hub.envelope.times import to_ms
from hub.facts import ignore
from hub.reading.at_hand import Registry, SessionsAtHand
from hub.reading.audiences import AudienceDirectory
from hub.reading.intake import Expectation, Intake, Refused
from hub.reading.sessions import SessionRegistry
from hub.transport import KafkaRecord
from topics import names

HOLDS: Final = "holds"
UNSEEN: Final = "not-judged"
"""the record lay on a topic that no desk judges"""


class _NoSecrets:
    def unlock(self, session: Session) -> Secret | Reason:
        return Reason.NOT_ADDRESSED


def expectation(namespace: str, origin: Place, tenant: str | None) -> Expectation | None:
    """Return what the topic of a refused record may hold; None for one that no desk judges."""
    topic = parse_topic(origin.topic)
    if topic is not None and origin.topic == names.submissions(namespace, topic.generation):
        return Expectation(tenant or "", Kind.SUBMISSION, origin.topic, PRODUCED)
    if topic is None or topic.tenant is None:
        return None
    match topic.dataset:
        case "audit":
            return routed(namespace, topic.tenant, None, topic.generation)
        case "review" | "helpdesk":
            return routed(namespace, topic.tenant, f"{topic.dataset}-{topic.tenant}", topic.generation)
        case "status" | "accepted":
            return produced(namespace, topic.tenant, Kind(topic.dataset), topic.generation)
        case _:
            return None


async def judge_again(
    role: ReadingRole, known: Known, content: Content, now: Callable[[], datetime], registry: Registry
) -> str:
    """Return `holds`, `not-judged`, or the code of the reason why it would be refused. Raises SessionsUnavailable."""
    letter = known.letter
    expected = expectation(role.namespace, letter.origin, letter.tenant)
    if expected is None:
        return UNSEEN
    sessions = SessionsAtHand(registry)
    partitions = role.topology.partitions_of.__getitem__
    intake = Intake(None, lambda _: expected, partitions, sessions, _NoSecrets(), lambda: role.trust)
    origin = letter.origin
    record = KafkaRecord(
        origin.topic, origin.partition, origin.offset, to_ms(letter.appended_at), content.key, content.value
    )
    await sessions.prepare([record])
    outcome = intake.take(record, now())
    return outcome.reason.value if isinstance(outcome, Refused) else HOLDS


async def seal_of(role: ReadingRole, known: Known, content: Content, now: Callable[[], datetime]) -> str:
    """`judge_again`, with the sessions and keys that are announced now. Raises AnnouncementsUnavailable."""
    directory = AudienceDirectory(role.endpoint, names.audiences(role.namespace), lambda: role.trust, now)
    tenant = known.letter.tenant
    topics = sessions_topics(role.topology, tenant)
    registry = SessionRegistry(role.endpoint, topics, lambda: role.trust, now, ignore, audience_keys=directory.key)
    try:
        await directory.refresh()
        return await judge_again(role, known, content, now, registry)
    finally:
        await registry.close()
        await directory.close()
