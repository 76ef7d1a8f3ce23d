"""What must hold of the records on the topics, whatever happened. Pure: lists of keys in, sentences out.

A key is the id of an event; a topic is what a stranger's client with `isolation.level=read_committed` reads of it, per
partition in the order of offsets. The router keeps partitions, so what a partition of an output holds is what the same
partition of the input holds, in that order, and nothing else. What a portal that died sends again under the same id,
for it cannot know whether it arrived, is on the input twice and lawfully on each output twice (decision 268): that is
counted apart, and an output may never hold an id more often than the input does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Records = Mapping[int, Sequence[str]]
"""keys by partition, in the order of offsets"""
_SHOWN = 3


@dataclass(slots=True)
class Judgement:
    """How often each promise was broken, and the first cases."""

    lost: int = 0
    doubled: int = 0
    invented: int = 0
    again: int = 0
    """records on the input that were there already: sent again, for nobody had acknowledged the first"""
    misplaced: int = 0
    """in another order or partition than at the input"""
    examples: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing was broken."""
        return not (self.lost or self.doubled or self.invented or self.misplaced)

    def _note(self, what: str, ids: Iterable[str], where: str) -> int:
        found = list(ids)
        self.examples += [f"{what}: {each} {where}" for each in found[:_SHOWN]]
        return len(found)


def first_of_each(records: Records) -> dict[int, list[str]]:
    """Each id where it stands first."""
    seen: set[str] = set()
    found: dict[int, list[str]] = {}
    for partition in sorted(records):
        found[partition] = [each for each in dict.fromkeys(records[partition]) if each not in seen]
        seen.update(found[partition])
    return found


def judge(
    acknowledged: Iterable[str],
    filed: Records,
    outputs: Mapping[str, Records],
    tenant_of: Mapping[str, str],
    tenant_of_topic: Mapping[str, str],
) -> Judgement:
    """Judge a day when everything has come to rest.

    `acknowledged` are the ids that the portal answered with; `tenant_of` says whose each id is. An id that was filed
    and not acknowledged may be there, and then it must be everywhere.
    """
    said = Judgement()
    first = first_of_each(filed)
    filed_often = Counter(each for ids in filed.values() for each in ids)
    there = filed_often.keys()
    said.again = filed_often.total() - len(there)
    said.lost += said._note("acknowledged and not filed", (each for each in acknowledged if each not in there), "")
    for topic, records in outputs.items():
        tenant = tenant_of_topic[topic]
        counts = Counter(each for ids in records.values() for each in ids)
        more = (each for each, count in counts.items() if count > max(1, filed_often[each]))
        said.doubled += said._note("more often than filed", more, topic)
        wanted = {p: [each for each in ids if tenant_of.get(each) == tenant] for p, ids in first.items()}
        expected = {each for ids in wanted.values() for each in ids}
        said.lost += said._note("missing", sorted(expected - counts.keys()), topic)
        said.invented += said._note("nobody filed", sorted(counts.keys() - expected), topic)
        for partition, ids in records.items():
            own, present = set(wanted.get(partition, ())), set(ids)
            elsewhere = [each for each in ids if each in expected and each not in own]
            said.misplaced += said._note("in another partition", elsewhere, f"{topic}/{partition}")
            left = [each for each in wanted.get(partition, ()) if each in present]
            right = [each for each in dict.fromkeys(ids) if each in own]
            turned = (one for one, other in zip(left, right, strict=True) if one != other)
            said.misplaced += said._note("out of order", turned, f"{topic}/{partition}")
    return said
