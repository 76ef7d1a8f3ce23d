"""What is sampled at a scrape: the role's directory, the clock, the machine."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.crypto.certificates import expires_at
from hub.envelope.times import epoch_bounds
from monitoring.clock import clock_state, read_state
from monitoring.labels import LABELS
from monitoring.metrics import Metrics
from monitoring.process import ProcessSource
from monitoring.role_source import RoleSource
from tests.unit.standing.world import FIRST, NOW, Office

DESK = f"review-{FIRST}"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    made = Office(tmp_path_factory.mktemp("home"))
    made.enrol()
    return made


def metrics_of(office: Office, principal: str) -> tuple[Metrics, RoleSource, Path]:
    role = office.role(principal)
    source = RoleSource(role)
    return Metrics(procedures=(), sources=(source,)), source, role.directory


def test_the_ends_of_certificates_keys_and_epochs_are_those_of_the_files(office: Office) -> None:
    metrics, _, directory = metrics_of(office, DESK)
    metrics.families()
    ends = [expires_at(directory / "tls.crt"), expires_at(directory / "endpoint" / f"{DESK}.crt")]
    assert metrics.value("hub_certificate_not_after_seconds") == min(ends).timestamp()
    authority = metrics.value("hub_key_not_after_seconds", purpose="authority")
    assert authority == expires_at(directory / "ca.crt").timestamp()
    identity = datetime.fromtimestamp(metrics.value("hub_key_not_after_seconds", purpose="identity"), UTC)
    assert timedelta(days=3 * 365) < identity - NOW < timedelta(days=3 * 367)
    assert metrics.value("hub_epoch_not_after_seconds") == epoch_bounds(202605)[1].timestamp(), (
        "April's and May's are there"
    )


def test_a_certificate_that_is_exchanged_while_the_process_runs_is_seen(office: Office) -> None:
    metrics, _, directory = metrics_of(office, "router")
    metrics.families()
    before = metrics.value("hub_certificate_not_after_seconds")
    soon = datetime.now(UTC) + timedelta(days=3)
    issued = office.authority.issue("router", directory / "new", not_after=soon)
    issued.certificate.replace(directory / "tls.crt")
    metrics.families()
    assert metrics.value("hub_certificate_not_after_seconds") == pytest.approx(soon.timestamp(), abs=1) != before
    (directory / "tls.crt").write_bytes(b"no certificate")
    metrics.families()
    assert metrics.value("hub_certificate_not_after_seconds") == pytest.approx(soon.timestamp(), abs=1), (
        "the last known"
    )


def test_stores_and_journals_are_measured_with_what_stands_beside_them(office: Office) -> None:
    metrics, _, directory = metrics_of(office, f"helpdesk-{FIRST}")
    metrics.families()
    names = {family.name for family in metrics.families()}
    assert not {"hub_store_bytes", "hub_journal_bytes"} & names, "nothing is there yet"
    state = directory / "state"
    (state / "store.db").write_bytes(b"x" * 1_000)
    (state / "store.db-wal").write_bytes(b"x" * 30)
    (state / "operations.db").write_bytes(b"x" * 7)
    metrics.families()
    assert metrics.value("hub_store_bytes", consumer=f"helpdesk-{FIRST}") == 1_030
    assert metrics.value("hub_journal_bytes") == 7


@pytest.mark.parametrize(
    ("offset", "most", "status", "expected"),
    [
        (1_500, 16_000, 0, (0.0015, 0.016, True)),
        (-1_500_000, 16_000_000, 0x2001, (-0.0015, 16.0, True)),
        (0, 16_000_000, 0x40, (0.0, 16.0, False)),
    ],
)
def test_the_kernels_numbers_are_read_in_its_units(
    offset: int, most: int, status: int, expected: tuple[float, float, bool]
) -> None:
    state = read_state(offset, most, status)
    assert (state.offset_seconds, state.max_error_seconds, state.synchronised) == pytest.approx(expected)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="adjtimex is Linux's")
def test_the_kernel_answers_and_nothing_is_changed() -> None:
    before = clock_state()
    assert before is not None
    assert abs(before.offset_seconds) < 3_600
    assert before.max_error_seconds > 0
    assert clock_state() is not None


def test_the_machine_is_sampled_within_the_labels_bounds() -> None:
    metrics = Metrics(procedures=(), sources=(ProcessSource({"state": Path.cwd()}),))
    families = {family.name: family for family in metrics.families()}
    assert {"lo"} <= {sample.labels["interface"] for sample in families["hub_host_network_received_bytes"].samples}
    assert {sample.labels["mode"] for sample in families["hub_host_cpu_seconds"].samples} >= {"user", "idle"}
    used = {label for family in families.values() for sample in family.samples for label in sample.labels} - {"le"}
    assert used <= set(LABELS)
    load = metrics.value("hub_host_load_ratio") * (os.cpu_count() or 1)
    assert 0 <= load < 10_000


def test_an_interface_of_a_strange_name_is_one_of_the_others() -> None:
    metrics = Metrics(procedures=(), sources=())
    for number in range(1_000):
        metrics.sample("hub_host_network_sent_bytes_total", number, interface=f"veth{number} {{}}")
    metrics.sample("hub_host_network_sent_bytes_total", 1, interface="eth0.100")
    (family,) = (each for each in metrics.families() if each.name == "hub_host_network_sent_bytes")
    assert {sample.labels["interface"] for sample in family.samples} == {"other", "eth0.100"}
