"""The whole hub from outside: what a person types, what comes back, and what is nowhere to be found."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.declared import brokers
from schemas.generator import generate
from tests.attacking import Attacker
from tests.attacking.plugin import Attack
from tests.broker.documents import SECRETS, document
from tests.broker.hub import ENTRY, Hub, eventually, metrics_of, running
from tests.kafka import own_exporter
from topics.names import endpoint_host

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub for the module; its processes put temporary files where the tests can see them."""
    directory = tmp_path_factory.mktemp("hub")
    (directory / "temporary").mkdir()
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(directory / "temporary")
    try:
        with running(directory, broker_metrics=True) as started:
            yield started
    finally:
        os.environ.pop("TMPDIR") if before is None else os.environ.__setitem__("TMPDIR", before)
        shutil.rmtree(directory, ignore_errors=True)


def test_what_was_sent_is_shown_to_review_string_for_string_and_masked_to_the_helpdesk(hub: Hub) -> None:
    sent = document("R7-13104-000000017")
    answer = hub.submit(sent)
    assert [each["status"] for each in answer] == ["accepted"]
    shown = hub.stored("R7-13104-000000017")
    assert shown["items"] == sent["items"]
    assert shown["event_id"] == answer[0]["event_id"]
    assert shown["attachments"][0]["file_name"] == "秘匿資料.txt"

    masked = eventually(lambda: _lookup(hub, "R7-13104-000000017"))
    by_name = {item["name"]: item["shown"] for item in masked["items"]}
    assert by_name["secondary_taxpayer_name"] == "見＊＊＊"
    assert by_name["secondary_taxpayer_address"] == "テスト区＊＊＊"
    assert by_name["secondary_taxpayer_phone"] == "＊＊＊4321"
    assert "secondary_taxpayer_my_number" not in by_name
    assert SECRETS["my_number"] not in json.dumps(masked, ensure_ascii=False)

    assert hub.json("reconcile")[0]["agreed"] is True
    assert all(each["verified"] for each in hub.json("audit", "verify"))


def _lookup(hub: Hub, receipt: str) -> dict[str, Any] | None:
    done = hub.run("helpdesk", "lookup", receipt, "--json")
    return json.loads(done.stdout.splitlines()[0]) if done.returncode == 0 else None


def test_attachments_come_back_byte_for_byte(hub: Hub, tmp_path: Path) -> None:
    hub.submit(document("R7-13104-000000018"))
    hub.stored("R7-13104-000000018")
    hub.run("review", "show", "R7-13104-000000018", "--save", str(tmp_path / "out"))
    (saved,) = (tmp_path / "out").iterdir()
    assert saved.read_bytes() == SECRETS["attachment"].encode() * 30
    assert saved.stat().st_mode & 0o777 == 0o600


def test_the_same_input_again_is_the_same_event(hub: Hub) -> None:
    first = hub.submit(document("R7-13104-000000019"))[0]
    again = hub.submit(document("R7-13104-000000019"))[0]
    assert (again["status"], again["event_id"]) == ("duplicate", first["event_id"])


def test_bad_documents_are_refused_each_by_rule_and_the_rest_goes_on(hub: Hub) -> None:
    def changed(**change: Any) -> bytes:
        return json.dumps({**document("R7-13104-00000BAD"), **change}, ensure_ascii=False).encode()

    good = document("R7-13104-000000020")
    table = [
        (changed(items={"no_such_item": "x"}), "key.unknown"),
        (changed(surprise=1), "key.unknown"),
        (changed(items={"remarks": 5}), "type.text"),
        (changed(items={"sale_price": "5"}), "type.integer"),
        (changed(items={"submitted_on": "令和7年2月30日"}), "date.impossible"),
        (changed(items={"remarks": "長" * 4_097}), "limit.characters"),
        (changed(items={"remarks": "\x07"}), "text.control"),
        (changed(items={"remarks": "SURROGATE"}).replace(b"SURROGATE", b"\\ud800"), "text.surrogate"),
        (changed()[:-1] + b', "tenant": "131041"}', "json.duplicate-key"),
        (b"[" * 5_000 + b"]" * 5_000, "json.nesting"),
        (b"this is not JSON", "json.syntax"),
        (json.dumps(document("R7-13104-00000BAD"), ensure_ascii=False).encode("cp932", "replace"), "json.encoding"),
        (changed(rehearsal=False), "rehearsal.mismatch"),
        (changed(tenant="131016"), "tenant.unknown"),
    ]
    lines = b"\n".join([line for line, _ in table] + [json.dumps(good, ensure_ascii=False).encode()]) + b"\n"
    done = hub.run("submit", "-", "--json", stdin=lines)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(answers) == len(table) + 1
    for answer, (_, rule) in zip(answers, table, strict=False):
        assert answer["status"] == "refused"
        assert rule in {error["rule"] for error in answer["errors"]}, (rule, answer)
        assert all(error["message"] and error["message_ja"] for error in answer["errors"])
    assert answers[-1]["status"] == "accepted"
    assert hub.stored("R7-13104-000000020")["items"] == good["items"]


def test_an_empty_file_is_refused(hub: Hub) -> None:
    done = hub.run("submit", "-", "--json", stdin=b"")
    assert done.returncode == 1
    assert json.loads(done.stdout)["errors"][0]["rule"] == "json.empty"


def test_a_line_of_a_gigabyte_is_refused_in_bounded_memory_and_the_next_one_accepted(hub: Hub) -> None:
    process = subprocess.Popen(
        [*ENTRY, "submit", "-", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=hub.environment()
    )
    assert process.stdin is not None
    piece = b"x" * (1 << 20)
    process.stdin.write(b'{"a": "')
    for _ in range(1_024):
        process.stdin.write(piece)
    status = Path(f"/proc/{process.pid}/status").read_text()
    peak_kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    process.stdin.write(b'"}\n' + json.dumps(document("R7-13104-000000021"), ensure_ascii=False).encode() + b"\n")
    output, _ = process.communicate(timeout=120)
    answers = [json.loads(line) for line in output.splitlines()]
    assert [each["status"] for each in answers] == ["refused", "accepted"]
    assert answers[0]["errors"][0]["rule"] == "json.too-large"
    assert 20 * 1024 < peak_kib < 400 * 1024


def test_no_process_is_given_the_keys_of_another_role(hub: Hub) -> None:
    for name, role in hub.stack.roles.running.items():
        try:
            environment = Path(f"/proc/{role.process.pid}/environ").read_bytes().split(b"\0")
        except PermissionError:  # not even its own user looks into it
            assert os.geteuid()
            continue
        ours = [line for line in environment if line.startswith(b"HUB_ROLE_DIR=")]
        assert ours == [f"HUB_ROLE_DIR={hub.home.role(name)}".encode()]
        assert not any(line.startswith(b"HUB_HOME=") for line in environment)
        held = {path.name.split("-")[0] for path in (hub.home.role(name) / "keys").iterdir()}
        assert held
        for link in Path(f"/proc/{role.process.pid}/fd").iterdir():
            try:
                target = str(link.readlink())
            except FileNotFoundError:
                continue
            assert "/roles/" not in target or f"/roles/{name}/" in target


def test_every_process_answers_for_its_health(hub: Hub) -> None:
    for role in hub.stack.roles.running.values():
        for path in ("healthz", "readyz", "metrics"):
            assert role.scrape(path).status == 200


def test_the_broker_exports_what_is_declared_and_no_other_name(hub: Hub) -> None:
    own_exporter()
    urls = hub.stack.describe().broker_metrics.values()
    assert len(urls) == len(hub.home.broker_nodes)
    scraper, password = hub.home.scraper("prometheus"), hub.home.broker_password.read_text()
    assert stat.S_IMODE(hub.home.broker_password.stat().st_mode) == 0o600

    def told(url: str) -> dict[str, set[str]]:
        answer = scraper.get(url, "broker", seconds=30, password=password)
        assert answer.status == 200
        found: dict[str, set[str]] = {}
        for family in text_string_to_metric_families(answer.body.decode()):  # type: ignore[no-untyped-call]
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
                assert not any("/" in value or len(value) > 80 for value in sample.labels.values()), sample
        return found

    declared = {metric.name: set(metric.labels) for metric in brokers.METRICS}
    for exported in map(told, urls):
        assert {name: exported.get(name) for name in declared} == declared
        assert {name for name in exported if name.startswith("kafka_")} == {
            n for n in declared if n.startswith("kafka_")
        }


def test_the_broker_shows_its_numbers_to_who_knows_the_password_alone(hub: Hub, attack: Attack) -> None:
    own_exporter()
    tried = attack(
        Attacker.CONTRACTOR, "scrapes the broker's exporter without its password, in the clear or over older TLS"
    )
    url, scraper = next(iter(hub.stack.describe().broker_metrics.values())), hub.home.scraper("portal")
    for password in ("", "prometheus", hub.home.broker_password.read_text() + "x"):
        answer = scraper.get(url, "broker", password=password)
        assert (answer.status, b"kafka_" in answer.body) == (401, False)
    port = int(url.removesuffix("/metrics").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        plain.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert b"HTTP/" not in plain.recv(100)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(hub.home.certificates / "ca.crt")
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        old.wrap_socket(plain, server_hostname=endpoint_host("broker"))
    tried.prevented(by="exporter", how="401, or an alert in the handshake", within="the request")


def test_the_exporter_is_not_told_its_password(hub: Hub) -> None:
    own_exporter()
    directory, password = hub.home.broker_nodes[0] / "config", hub.home.broker_password.read_bytes()
    assert len(password) >= 43, "256 bits"
    for path in directory.rglob("*"):
        if path.is_file() and path != hub.home.broker_password and path.suffix != ".jar":
            assert password not in path.read_bytes(), path.name
    for name in ("exporter.json", "exporter.p12"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600


def test_every_process_says_until_when_it_counts_and_the_router_how_far_it_is_behind(hub: Hub) -> None:
    role = hub.stack.roles.running
    for name, each in role.items():
        text = metrics_of(each)
        for line in ("hub_certificate_not_after_seconds 1.", 'hub_key_not_after_seconds{purpose="identity"} 1.'):
            assert line in text, name
        assert ('hub_store_bytes{consumer="' in text) == (name not in ("router", "analysis")), name
        assert "hub_clock_synchronised " in text
    assert "hub_epoch_not_after_seconds 1." in metrics_of(role["review-131041"])

    def caught_up() -> bool:
        lines = metrics_of(role["router"]).splitlines()
        behind = [line for line in lines if line.startswith('hub_lag_records{dataset="submissions"')]
        age = 'hub_backlog_oldest_seconds{dataset="submissions",tenant="shared"} 0.0'
        return len(behind) == 3 and all(line.endswith(" 0.0") for line in behind) and age in lines

    assert eventually(caught_up, 60)


def test_a_portal_cannot_scrape_the_router(hub: Hub) -> None:
    router = hub.stack.roles.running["router"]
    for name, status in (("portal", 403), ("review-131041", 403), ("prometheus", 200), ("monitor", 200)):
        assert hub.home.scraper(name).get(f"{router.metrics}/metrics", "router").status == status


def test_the_helpdesks_certificate_does_not_open_the_review_topic(hub: Hub) -> None:
    refused = _kcat(hub, "helpdesk-131041", f"{hub.stack.topology.namespace}.131041.review")
    assert refused.stdout == b""
    assert b"authorization failed" in refused.stderr.lower()
    assert _kcat(hub, "helpdesk-131041", f"{hub.stack.topology.namespace}.131041.helpdesk").returncode == 0


def _kcat(hub: Hub, principal: str, topic: str) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("kcat")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("kcat is missing (Debian: apt install kcat)")
        pytest.skip("kcat is not installed here (Debian: apt install kcat)")
    certificates = hub.home.certificates
    settings = {
        "security.protocol": "ssl",
        "ssl.ca.location": str(certificates / "ca.crt"),
        "ssl.certificate.location": str(certificates / f"{principal}.crt"),
        "ssl.key.location": str(certificates / f"{principal}.key"),
    }
    options = [part for name, value in settings.items() for part in ("-X", f"{name}={value}")]
    return subprocess.run(
        [program, "-b", hub.stack.bootstrap, *options, "-C", "-t", topic, "-e", "-q", "-f", "%k %h %s\\n"],
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_generated_submissions_of_all_procedures_are_all_stored(hub: Hub) -> None:
    documents = list(generate(20251201, 60, ["131041", "999997"]))
    answers = hub.submit(*documents)
    assert {each["status"] for each in answers} == {"accepted"}
    receipts = {each["receipt_number"] for each in documents}
    eventually(lambda: receipts <= {row["receipt_number"] for row in hub.json("review", "list")}, pause=1)
    assert hub.json("reconcile")[0]["lost"] == 0


def test_the_network_watch_finds_all_refused_and_every_role_on_its_path(hub: Hub) -> None:
    rows = hub.json("monitor", "network")
    attempts = [row for row in rows if "control" in row]
    assert {row["result"] for row in attempts} == {row["expected"] for row in attempts} == {"refused"}
    assert {row["control"] for row in attempts} == {
        *("plaintext", "no-certificate", "unknown-ca", "expired-certificate", "tls-1-2", "rights", "no-rights"),
        *("undeclared-listener", "metrics-scrape"),
    }
    addresses = hub.stack.bootstrap.split(",")
    controllers = [each for each in hub.stack.kafka.controllers.split(",") if each]
    assert [row["up"] for row in rows if "path" in row] == [True] * len(addresses + controllers)
    up = 'hub_watch_path_up{listener="%s",principal="%s"} 1.0'
    for name, role in hub.stack.roles.running.items():
        wanted = [up % (each, name) for each in addresses]
        eventually(lambda wanted=wanted, role=role: all(line in metrics_of(role) for line in wanted))

    declared = hub.stack.bootstrap.replace("127.0.0.1", "localhost")
    undeclared = hub.run("monitor", "network", "--json", HUB_WATCH_BROKERS=declared)
    assert undeclared.returncode == 1
    open_ = [row for row in map(json.loads, undeclared.stdout.splitlines()) if row.get("result") == "accepted"]
    assert {row["control"] for row in open_} == {"undeclared-listener"}
    assert sorted(row["listener"] for row in open_) == sorted(addresses)
    assert b"not all is as it must be" in hub.run("monitor", "network", HUB_WATCH_BROKERS="localhost:1").stdout


# An attacker's tests share this file's hub. They come last, for they leave it in disorder.
from tests.attacks.whole_hub import (  # noqa: E402, F401
    planted,
    temporary,
    test_a_process_leaves_no_core_and_lets_nobody_in,
    test_no_key_is_on_a_disk_but_sealed,
    test_nothing_of_a_marked_person_is_anywhere_but_where_it_was_planted,
    test_what_a_principal_that_is_shut_out_has_signed_counts_no_more,
    test_who_is_shut_out_by_the_runbook_is_out_and_comes_back_by_it,
    worked,
)
