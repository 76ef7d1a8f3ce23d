"""What a malicious broker operator can do, and who notices."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from portal.producer import PortalProducer
from schemas.generator import generate
from tests.attacks.evil.broker import EvilBroker
from tests.attacks.evil.stage import EvilStage
from tests.broker.router_stage import Stage, until_routed
from tests.kafka import TestKafka, fresh_namespace
from topics import names

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]
TENANT, OTHER = "131041", "999997"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(kafka: TestKafka, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EvilStage]:
    directory = tmp_path_factory.mktemp("evil")
    made = await Stage.prepare(kafka, fresh_namespace(), directory)
    async with EvilBroker(kafka, made.topology) as evil:
        yield EvilStage(made, evil, directory / "victims")


async def test_smoke(stage: EvilStage) -> None:
    import time

    t = time.time()
    documents = [json.dumps(each).encode() for each in generate(7, 30, [TENANT, OTHER], start=datetime.now(UTC))]
    async with PortalProducer(stage.role("portal", "portal")) as portal:
        for each in documents:
            print((await portal.submit(each)).status)
        print(time.time() - t)
    print(time.time() - t)
    async with stage.stage.router():
        await until_routed(stage.stage, 15)
    print(time.time() - t)
    async with (
        stage.desk(f"review-{TENANT}") as review,
        stage.desk(f"audit-{TENANT}") as audit,
        stage.desk(f"helpdesk-{TENANT}") as helpdesk,
    ):
        await review.through(names.review(stage.namespace, TENANT))
        await helpdesk.through(names.helpdesk(stage.namespace, TENANT))
        await audit.through(names.audit(stage.namespace, TENANT), names.sessions(stage.namespace))
        print(time.time() - t)
        stage.clock.a_minute_passes()
        import asyncio

        await asyncio.sleep(1.5)
        for d in (review, helpdesk, audit):
            print(d.alarms(), d.store.counts())
    print(time.time() - t)
