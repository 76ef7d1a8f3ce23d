"""The commands for proofs: wrong usage, and what a witness needs of the machine that it runs on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.log import log_witnesses
from cli.main import app
from consumers.audit.publishing import NOBODY
from consumers.audit.witnesses import Witnesses, WitnessesMalformed
from hub.crypto.identity import IdentityKey
from hub.crypto.notes import NoteSigner, SignatureType, VerifierKey
from hub.facts import ignore
from hub.settings import LogSettings

LOG = NoteSigner("audit.example/rehearsal/131041", IdentityKey.from_seed(bytes(31) + b"\x01"))


class Role:
    """As much of a role as the witnesses of its log need."""

    principal = "audit-131041"


@pytest.mark.parametrize("command", [["publish"], ["key"], ["prove", "R1"], ["report", "--day", "2026-11-26"]])
def test_without_a_home_a_command_says_so(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(app, ["audit", *command, "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"]["code"] == "cli.not-enrolled"


@pytest.mark.parametrize(
    "command",
    [
        ["audit", "prove"],
        ["audit", "prove", "R1", "--index", "3"],
        ["audit", "prove", "R1", "--stored", "--opening", "x"],
        ["audit", "prove", "--index", "-1"],
        ["audit", "report"],
        ["audit", "report", "--day", "2026-11-26", "--month", "2026-11"],
        ["audit", "report", "--day", "2026-11-31"],
        ["audit", "report", "--month", "November"],
        ["audit", "check", "--key", "nowhere", "--proof", "nowhere", "--entry", "nowhere"],
        ["witness", "run", "--key", "nowhere"],
        ["witness", "init", "--key", "w.key", "--name", "w.example", "--algorithm", "rsa"],
    ],
)
def test_wrong_usage_ends_with_2(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUB_HOME", str(tmp_path / "home"))
    assert CliRunner().invoke(app, command).exit_code == 2
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("algorithm", "kind"), [("ed25519", 4), ("ml-dsa-44", 6)])
def test_a_witness_is_made_and_runs_from_its_own_files(tmp_path: Path, algorithm: str, kind: int) -> None:
    key, log = tmp_path / "w" / "w1.key", tmp_path / "log.vkey"
    log.write_text(LOG.verifier().encode() + "\n")
    made = ["witness", "init", "--key", str(key), "--name", "witness.example/w1", "--algorithm", algorithm, "--json"]
    done = CliRunner().invoke(app, made)
    vkey = VerifierKey.parse(json.loads(done.stdout)["vkey"])
    assert (vkey.name, vkey.kind) == ("witness.example/w1", SignatureType(kind))
    again = CliRunner().invoke(app, made)
    assert (again.exit_code, json.loads(again.stdout)["error"]["code"]) == (1, "keystore.exists")
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "witness", "run", "--key", str(key), "--log-key", str(log), "--json"],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert (ready["vkey"], ready["logs"]) == (vkey.encode(), ["audit.example/rehearsal/131041"])
    assert ready["url"].startswith("http://127.0.0.1:")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{ready['url']}/{'0' * 64}/checkpoint", timeout=30)
    busy = CliRunner().invoke(app, ["witness", "run", "--key", str(key), "--log-key", str(log), "--json"])
    assert (busy.exit_code, json.loads(busy.stdout)["error"]["code"]) == (1, "witness.busy")
    taken = ["--state", str(tmp_path / "other"), "--port", ready["url"].rpartition(":")[2]]
    refused = CliRunner().invoke(app, ["witness", "run", "--key", str(key), "--log-key", str(log), *taken, "--json"])
    assert (refused.exit_code, json.loads(refused.stdout)["error"]["code"]) == (1, "witness.address")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_witness_refuses_a_key_that_is_no_logs(tmp_path: Path) -> None:
    key, log = tmp_path / "w1.key", tmp_path / "log.vkey"
    log.write_text(LOG.cosigner().encode() + "\n")
    done = CliRunner().invoke(app, ["witness", "run", "--key", str(key), "--log-key", str(log)])
    assert done.exit_code == 2


def test_the_witnesses_of_a_log_come_from_a_file(tmp_path: Path) -> None:
    role, path = Role(), tmp_path / "witnesses"
    assert log_witnesses(role, LogSettings(), ignore) is NOBODY  # type: ignore[arg-type]
    settings = LogSettings(tlog_witnesses=path)
    for text in (None, "nonsense\n", "http://127.0.0.1:1 \udcff"):
        if text is not None:
            path.write_text(text, errors="surrogateescape")
        with pytest.raises(WitnessesMalformed):
            log_witnesses(role, settings, ignore)  # type: ignore[arg-type]
    path.write_text(f"http://127.0.0.1:1 {LOG.cosigner().encode()}\n")
    assert isinstance(log_witnesses(role, settings, ignore), Witnesses)  # type: ignore[arg-type]
