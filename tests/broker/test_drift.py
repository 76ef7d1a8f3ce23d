"""What was set on the brokers by hand is seen, said, left alone, and taken away only when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from hub.transport.admin import Admin
from hub.transport.admin.protocol import AlterClientQuotasRequest_v0, AlterUserQuotas, CreateAcls
from tests.attacks.laid_out import endpoint
from tests.kafka import TestKafka, start
from topics import declaration, names
from topics.expanding import expand
from topics.plan import plan

pytestmark = pytest.mark.broker


@pytest.fixture
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestKafka]:
    """A node of its own: what other tests set up on theirs would be drift here."""
    made = start(tmp_path_factory.mktemp("drift"))
    try:
        yield made
    finally:
        made.kafka.stop()


class ByHandAcls(CreateAcls):
    """Rights as somebody with the administrator's certificate could set them."""

    def __init__(self, *rows: tuple[Any, ...]) -> None:
        self._rows = list(rows)

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class(self._rows)


class ByHandQuotas(AlterUserQuotas):
    """Limits that no declaration knows."""

    def __init__(self, *rows: tuple[Any, ...]) -> None:
        self._rows = list(rows)

    def build(self, request_struct_class: Any) -> Any:
        assert request_struct_class is AlterClientQuotasRequest_v0
        return request_struct_class(self._rows, False)


async def test_what_was_set_by_hand_is_drift_and_goes_only_with_prune(kafka: TestKafka, namespace: str) -> None:
    wanted = expand(declaration.load(), namespace)
    review = names.review(namespace, "131041")
    async with Admin(endpoint(kafka, "admin")) as admin:
        await admin.execute(plan(await admin.current(wanted), wanted))
        assert (await admin.settle(wanted)).empty
        before = await admin.current(wanted)
        client = admin._client()
        await admin._send(
            ByHandAcls(
                (2, f"{namespace}.", 4, "User:CN=guest", "*", 3, 3),  # read everything of ours
                (2, review, 3, "User:CN=review-131041", "*", 3, 2),  # and keep the desk from its topic
            )
        )
        await admin._send(
            ByHandQuotas(
                ([("user", "CN=helpdesk-131041")], [("consumer_byte_rate", 1_000.0, False)]),
                ([("user", "CN=audit-131041"), ("client-id", "x")], [("producer_byte_rate", 1.0, False)]),
            )
        )
        kept = next(topic.configs for topic in before.topics if topic.name == review)
        changed = ConfigResource(
            ConfigResourceType.TOPIC, review, configs={**kept, "segment.ms": "61000", "retention.ms": "3600000"}
        )
        await client.alter_configs([changed])

        found = plan(await admin.current(wanted), wanted)
        said = [step.describe() for step in found.drift]
        assert {"step": "ResetConfig", "name": review, "key": "segment.ms", "value": "61000"} in said
        assert {step["acl"]["principal"] for step in said if step["step"] == "RemoveForeignAcl"} == {
            "User:CN=review-131041"
        }
        assert [step["acl"]["principal"] for step in said if step["step"] == "RemoveAcl"] == ["guest"]
        whose = {step["quota"]["entity"] for step in said if step["step"] == "RemoveForeignQuota"}
        assert (("user", "CN=helpdesk-131041"),) in whose
        assert (("client-id", "x"), ("user", "CN=audit-131041")) in whose
        (put_right,) = found.steps
        assert put_right.describe()["was"] == {"retention.ms": "3600000"}

        await admin.execute(found)
        assert (await admin.settle(wanted)).empty
        left = plan(await admin.current(wanted), wanted)
        assert [step.describe() for step in left.drift] == said, "what was set by hand is still there, and still said"

        await admin.execute(plan(await admin.current(wanted), wanted, prune=True))
        assert (await admin.settle(wanted, prune=True)).empty
        assert await admin.current(wanted) == before
