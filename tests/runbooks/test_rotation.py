"""docs/runbooks/rotation.md on a hub that nobody looked after for 70 days; from then on nobody is started again."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

import cli.stack
from cli.home import Home
from cli.stack import Stack
from hub.crypto.certificates import CertificateAuthority
from hub.enrolment import enrol
from hub.rotation import epochs_ahead
from hub.transport.endpoint import TlsIdentity, ssl_context
from tests.broker.documents import document
from tests.broker.hub import Hub, eventually
from tests.runbooks.steps import blocks, execute, headings
from topics.declaration import load
from topics.expanding import expand
from topics.names import endpoint_host

pytestmark = [pytest.mark.soak(target="runbooks"), pytest.mark.timeout(570)]
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub that was enrolled 70 days ago, that nobody has looked after since, and that is started now.

    Its roles wait for a key of this month, which the runbook's command gives them.
    """
    home = Home(tmp_path_factory.mktemp("rotation") / "home")
    home.prepare()
    authority = CertificateAuthority.create(home.path / "authority")
    topology = expand(load(None), "rehearsal", partitions=2)
    enrol(home.path, topology, authority, now=NOW - timedelta(days=70))
    stack = Stack(home, namespace="rehearsal", partitions=2, broker_metrics=False)
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as pool:
        patch.setattr(cli.stack, "READY_SECONDS", 400.0)
        entered = pool.submit(stack.__enter__)
        try:
            eventually(lambda: entered.done() or _started(stack), 300, pause=1)
            time.sleep(5)
            assert not entered.done()
            assert not [name for name in ("router", "review-131041") if stack.roles.running[name].ready()]
            execute("rotation", "When a month began without keys", home.path)
            entered.result(timeout=400)
            yield Hub(stack)
        finally:
            stack.stop()


def _started(stack: Stack) -> bool:
    return stack._roles is not None and "monitor" in stack._roles.running


def _epochs(hub: Hub) -> set[int]:
    return {int(each["life"]) for each in hub.json("keys", "list") if each["kind"] == "audience"}


def test_every_section_is_executed_here() -> None:
    assert headings("rotation") == [
        "Every month: the coming keys",
        "When a month began without keys",
        "Every month: certificates that end soon",
        "Another authority: begin",
        "Another authority: switch",
        "Another authority: finish",
    ]


def test_a_hub_whose_keys_have_ended_goes_on_after_the_command_and_nobody_is_started_again(hub: Hub) -> None:
    assert set(epochs_ahead(NOW, 3)) <= _epochs(hub)
    before = _pids(hub)
    execute("rotation", "When a month began without keys", hub.home.path)
    hub.submit(document("R7-13104-000000801"))
    hub.stored("R7-13104-000000801")
    assert _pids(hub) == before


def test_the_monthly_run_changes_nothing_when_nothing_is_due_and_says_so(hub: Hub) -> None:
    before = _epochs(hub)
    said = execute("rotation", "Every month: the coming keys", hub.home.path)
    assert "0 audience keys made" in said[0].out
    assert _epochs(hub) == before


def test_each_key_that_was_made_stands_in_the_operations_log(hub: Hub) -> None:
    spool = b"".join(
        each.read_bytes() for each in sorted((hub.home.role("admin") / "state").rglob("*")) if each.is_file()
    )
    assert spool.count(b"key-used") >= len(epochs_ahead(NOW, 3))


def test_what_was_filed_afterwards_is_complete(hub: Hub) -> None:
    hub.submit(document("R7-13104-000000802"))
    hub.stored("R7-13104-000000802")
    assert hub.agreed()["agreed"]


def _shown(hub: Hub, name: str) -> bytes:
    """The certificate that a running process shows."""
    parts = urlsplit(hub.stack.roles.running[name].metrics)
    context = ssl_context(TlsIdentity(*(hub.home.certificates / each for each in ("admin.crt", "admin.key", "ca.crt"))))
    with (
        socket.create_connection((parts.hostname, parts.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=endpoint_host(name)) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


def _restart_broker(hub: Hub) -> None:
    """As `brokers restart 1` has `up` do it."""
    hub.stack.restart_broker("broker")


def _pids(hub: Hub) -> dict[str, int]:
    return {name: role.process.pid for name, role in hub.stack.roles.running.items()}


def test_certificates_are_renewed_under_running_processes(hub: Hub) -> None:
    before, pids = {name: _shown(hub, name) for name in hub.stack.roles.running}, _pids(hub)
    (block,) = blocks("rotation", "Every month: certificates that end soon")
    assert "0 renewed" in execute("rotation", "Every month: certificates that end soon", hub.home.path)[0].out
    assert "--days 60" in block
    (said,) = hub.json("keys", "renew", "--days", "397")  # as if they had lived for long
    assert set(before) <= set(said["renewed"])
    eventually(lambda: not [name for name, shown in before.items() if _shown(hub, name) == shown], pause=2)
    assert _pids(hub) == pids
    hub.submit(document("R7-13104-000000803"))
    hub.stored("R7-13104-000000803")


def test_the_authority_is_replaced_while_the_roles_run_and_filings_go_on(hub: Hub) -> None:
    pids = _pids(hub)
    early = hub.json("keys", "authority", "switch", good=1)
    assert early[0]["error"]["code"] == "authority.step"
    execute("rotation", "Another authority: begin", hub.home.path)
    (refused,) = execute("rotation", "Another authority: switch", hub.home.path, good=False)  # the broker knows nothing
    assert refused.status == 1
    assert "authority.not-yet" in refused.errors
    assert "broker" in refused.errors
    _restart_broker(hub)
    execute("rotation", "Another authority: switch", hub.home.path)
    hub.submit(document("R7-13104-000000804"))
    hub.stored("R7-13104-000000804")
    (refused,) = execute("rotation", "Another authority: finish", hub.home.path, good=False)
    assert refused.status == 1
    assert "broker" in refused.errors
    _restart_broker(hub)
    execute("rotation", "Another authority: finish", hub.home.path)
    hub.submit(document("R7-13104-000000805"))
    hub.stored("R7-13104-000000805")
    assert _pids(hub) == pids
    assert hub.agreed()["agreed"]
