"""What a malicious broker operator can do, and who notices.

One honest history, then each attack on engines that begin anew and see of it what the operator shows them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

import hub.transport.reader
from portal.producer import PortalProducer
from schemas.generator import generate
from tests.attacking.plugin import Attack
from tests.attacks.evil import lanes as whole
from tests.attacks.evil import routed, singles, upstream, views
from tests.attacks.evil.broker import EvilBroker
from tests.attacks.evil.lanes import Lanes
from tests.attacks.evil.live import Live
from tests.attacks.evil.stage import EvilStage
from tests.broker.router_stage import OTHER, TENANT, Stage, until_routed
from tests.kafka import TestKafka, fresh_namespace

pytestmark = [pytest.mark.broker, pytest.mark.one_broker, pytest.mark.asyncio(loop_scope="module")]
SEED = 20261126
LONG = pytest.mark.soak(target="attacks-long")
DESKS = ("review", "helpdesk", "audit")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(kafka: TestKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EvilStage]:
    """Two sessions of the portal, routed, stored and confirmed: nobody was attacked so far."""
    directory = tmp_path_factory.mktemp("evil")
    made = await Stage.prepare(kafka, fresh_namespace(), directory)
    print(f"seed {SEED}")
    said = list(generate(SEED, 48, [TENANT, OTHER], start=datetime.now(UTC)))
    documents = [json.dumps(each).encode() for each in said]
    async with EvilBroker(kafka, made.topology) as evil:
        stage = EvilStage(made, evil, directory / "victims", said)
        for some in (documents[:30], documents[30:]):
            async with PortalProducer(stage.role("portal", "portal")) as portal:
                answers = await asyncio.gather(*(portal.submit(each) for each in some))
                assert {answer.status for answer in answers} == {"accepted"}
        async with stage.stage.router():
            await until_routed(made, 24)
        async with stage.desk(f"review-{TENANT}", "review-honest") as review:
            await review.through_all()
            await review.decides(*(row.event.event_id for row in review.store.events()[:6]))
        yield stage


async def test_an_honest_history_rings_no_alarm(stage: EvilStage) -> None:
    """The control of all that follows: the same desks, the same minute, and nothing is wrong."""
    async with stage.desks(*DESKS) as desks:
        for desk in desks:
            await desk.through_all()
        for desk in desks:
            desk.clock.a_minute_passes()
            await desk.looked()
            assert (desk.alarms(), desk.store.counts()["confirmed"]) == ({}, desk.store.counts()["events"])


@pytest.mark.parametrize("kind", DESKS)
async def test_single_records_on_a_desks_topic(stage: EvilStage, attack: Attack, kind: str) -> None:
    await singles.on_a_desk(stage, attack, kind)


@pytest.mark.parametrize("kind", ["review", "audit", pytest.param("helpdesk", marks=LONG)])
async def test_lanes_and_sessions_that_a_desk_does_not_get(stage: EvilStage, attack: Attack, kind: str) -> None:
    await stage.evil.settled()
    lanes = Lanes(stage, attack, kind)
    await whole.withheld(lanes)
    if kind == "audit":
        await whole.unclosed(lanes)
    await whole.unannounced(lanes)


@pytest.mark.parametrize("kind", ["review", *(pytest.param(each, marks=LONG) for each in ("helpdesk", "audit"))])
async def test_another_order_and_another_history_for_a_desk(stage: EvilStage, attack: Attack, kind: str) -> None:
    await stage.evil.settled()
    lanes = Lanes(stage, attack, kind)
    await whole.disordered(lanes)
    await whole.rewritten(lanes)


async def test_decisions_that_somebody_does_not_get(stage: EvilStage, attack: Attack) -> None:
    await views.decisions(stage, attack)


async def test_two_audit_desks_with_different_histories(stage: EvilStage, attack: Attack, tmp_path: Path) -> None:
    await views.histories(stage, attack, tmp_path)


async def test_lists_of_the_administrator(stage: EvilStage, attack: Attack, tmp_path: Path) -> None:
    await views.lists(stage, attack, tmp_path)


async def test_what_can_be_read(stage: EvilStage, attack: Attack) -> None:
    await views.reading(stage, attack, stage.documents)


async def test_single_records_on_their_way_to_the_router(stage: EvilStage, attack: Attack) -> None:
    await routed.singles(Live(stage, attack, SEED + 1, "portal-singles"))


async def test_tails_and_sessions_that_the_router_does_not_get(stage: EvilStage, attack: Attack) -> None:
    await routed.withheld(Live(stage, attack, SEED + 2, "portal-withheld"))


async def test_how_far_the_router_has_come(stage: EvilStage, attack: Attack) -> None:
    await routed.resumed(Live(stage, attack, SEED + 8, "portal-resumed"))


async def test_what_the_router_and_the_review_desk_write_is_thrown_away(stage: EvilStage, attack: Attack) -> None:
    await routed.thrown_away(Live(stage, attack, SEED + 3, "portal-thrown"))


async def test_what_the_portal_writes_is_thrown_away(stage: EvilStage, attack: Attack) -> None:
    await upstream.thrown_away(Live(stage, attack, SEED + 4, "portal-upstream"))


async def test_receipts_on_their_way_to_the_portal(stage: EvilStage, attack: Attack) -> None:
    await upstream.receipts(Live(stage, attack, SEED + 5, "portal-receipts"))


async def test_audience_keys_on_their_way_to_the_portal(stage: EvilStage, attack: Attack) -> None:
    await upstream.audience_keys(Live(stage, attack, SEED + 6, "portal-keys"))


async def test_another_machine_in_the_brokers_place(
    stage: EvilStage, attack: Attack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.transport.reader, "_START_SECONDS", 1.0)
    await upstream.elsewhere(Live(stage, attack, SEED + 7, "portal-elsewhere"), tmp_path)
