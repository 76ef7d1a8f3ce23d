"""Writes docs/access-matrix.md from the declaration: `python -m topics.document [FILE]`.

The page is committed; a test fails when it is not what the declaration says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from schemas.pages import write_page
from topics.access import ClusterDeed, Deed, GroupDeed, may_cluster, may_group, may_topic, may_transact
from topics.declaration import load
from topics.expanding import expand
from topics.layout import Principal, Topology

PAGE: Final = Path("docs/access-matrix.md")
_NAMESPACE: Final = "eltax"
_STRANGER: Final = "stranger"

_INTRODUCTION: Final = """\
# Who may do what

Written by `make docs` from `topics/declaration.yaml`; do not edit. Each cell, and each combination that is no cell
here, is tried against a real broker by `tests/attacks/test_access_matrix.py`: what stands here works, everything
else gets the authorization error from the broker itself.

`T` is a tenant and `U` any other one; every tenant's principals have the same rights on their own topics. *stranger*
holds a certificate of our authority that was given no right; who is shut out
([runbooks/shut-out.md](runbooks/shut-out.md)) may do even less: what a stranger may not.

A mirror (`mirrors: true`, [runbooks/disaster-copy.md](runbooks/disaster-copy.md)) is declared only where there is one.
It reads each topic below but `resolutions` and the analysis' two, and may do nothing else here; tried by
`tests/attacks/test_mirror_rights.py`.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join(_lines(expand(load(), _NAMESPACE))) + "\n"


def _lines(topology: Topology) -> Iterator[str]:
    own, other = (tenant.code for tenant in topology.tenants[:2])
    shown = [each for each in topology.principals if each.tenant in (None, own) and not each.super_user]
    (ruler,) = (each for each in topology.principals if each.super_user)

    def plain(name: str) -> str:
        return name.replace(own, "T").replace(other, "U")

    yield _INTRODUCTION
    yield f"`{ruler.name}` may do everything below; its row and column are left out."
    yield ""
    yield "## Topics"
    yield ""
    yield "**R** read, **W** write; both see the topic too. No principal may create, delete or configure a topic,"
    yield "add partitions to it or delete its records."
    yield ""
    columns = [*(plain(each.name) for each in shown), _STRANGER]
    yield from _head("topic", columns)
    for topic in topology.topics:
        if topic.tenant in (None, own, other):
            cells = (_on_topic(topology, name, topic.name) for name in [*(each.name for each in shown), _STRANGER])
            yield _row(f"`{plain(topic.name)}`", cells)
    yield ""
    yield "## Consumer groups and transactional ids"
    yield ""
    yield from _head("resource", columns)
    for holder in shown:
        yield from _owned(topology, holder, [*(each.name for each in shown), _STRANGER])
    yield ""
    yield "## The processes' own endpoints"
    yield ""
    yield "Over TLS 1.3, to a certificate of our authority that bears one of these names; any other gets 403."
    yield ""
    yield from _head("page", columns)
    cells = ("yes" if each.scrapes else "" for each in shown)
    yield _row("`/metrics`, `/healthz`, `/readyz` of every process", (*cells, ""))
    yield ""
    yield "## The cluster"
    yield ""
    yield from _head("operation", columns)
    for deed in ClusterDeed:
        cells = ("yes" if may_cluster(topology, each.name, deed) else "" for each in shown)
        yield _row(deed.value, (*cells, "yes" if may_cluster(topology, _STRANGER, deed) else ""))


def _on_topic(topology: Topology, principal: str, topic: str) -> str:
    found = {deed for deed in Deed if may_topic(topology, principal, topic, deed)}
    marks = [("R", Deed.READ), ("W", Deed.WRITE)]
    more = sorted(found - {Deed.READ, Deed.WRITE, Deed.DESCRIBE})
    return " ".join([mark for mark, deed in marks if deed in found] + [deed.value for deed in more])


def _owned(topology: Topology, holder: Principal, names: Sequence[str]) -> Iterator[str]:
    if holder.group:
        group = holder.group
        words = (
            ", ".join(deed.value for deed in GroupDeed if may_group(topology, name, group, deed)) for name in names
        )
        yield _row(f"group `{group}`", words)
    if holder.transactional_ids:
        prefix = holder.transactional_ids
        yield _row(
            f"transactional ids `{prefix}…`",
            ("use" if may_transact(topology, name, f"{prefix}0") else "" for name in names),
        )


def _head(first: str, columns: Sequence[str]) -> Iterator[str]:
    yield _row(first, columns)
    yield "|---" * (len(columns) + 1) + "|"


def _row(first: str, cells: Sequence[str] | Iterator[str]) -> str:
    return "| " + " | ".join((first, *cells)) + " |"


def main(arguments: list[str]) -> int:
    """Write the page to the file given, or to docs/access-matrix.md."""
    return write_page(page(), arguments, PAGE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
