"""The scrape configuration names each process by its certificate, and loses no target; promtool reads it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.crypto.certificates import CertificateAuthority
from monitoring.prometheus.plain_yaml import dump
from monitoring.prometheus.scrape import BROKER, STRANGER, Scraping, processes, scrape_configs, targets
from topics.declaration import load
from topics.expanding import expand

TOPOLOGY = expand(load(), "rehearsal")


def made(directory: Path) -> Scraping:
    own = CertificateAuthority.create(directory / "authority").issue("prometheus", directory)
    (directory / "password").write_text("x")
    (directory / "targets.json").write_text(targets({"router": "https://127.0.0.1:1/metrics"}))
    return Scraping(
        processes(TOPOLOGY),
        directory / "targets.json",
        own.certificate,
        own.private_key,
        own.ca,
        directory / "password",
    )


def test_every_principal_with_a_process_has_a_job_that_knows_it_by_name(tmp_path: Path) -> None:
    jobs = {str(job["job_name"]): job for job in scrape_configs(made(tmp_path))}
    assert {"router", "review-131041", "helpdesk-999997", "tax-resident-tax-131041", "monitor", "operator"} < set(jobs)
    assert not {"admin", "prometheus"} & set(jobs)
    names = [job["tls_config"]["server_name"] for job in jobs.values()]  # type: ignore[index]
    assert len(set(names)) == len(names) == len(jobs)
    assert "basic_auth" in jobs[BROKER]
    assert "basic_auth" not in jobs["router"]


@pytest.mark.parametrize(
    "instance", ["router", "review-131041", "broker", "broker-2", "review-999989", "routers", "brokers", ""]
)
def test_a_target_belongs_to_one_job_even_one_that_nobody_knows(tmp_path: Path, instance: str) -> None:
    jobs = scrape_configs(made(tmp_path))
    kept = [job["job_name"] for job in jobs if _kept(job, instance)]
    name = BROKER if instance == "broker-2" else instance
    assert kept == [name if name in {job["job_name"] for job in jobs} else STRANGER]


def _kept(job: dict[str, Any], instance: str) -> bool:
    rule = job["relabel_configs"][0]
    keeps: bool = rule["action"] == "keep"
    return (re.fullmatch(rule["regex"], instance) is not None) == keeps


def test_targets_say_who_and_where() -> None:
    found = json.loads(targets({"router": "https://127.0.0.1:90/metrics", "review-131041": "https://127.0.0.1:91/m",
                                "broker": "https://127.0.0.1:92/metrics",
                                "broker-2": "https://127.0.0.1:93/metrics"}))  # fmt: skip
    assert found == [
        {"targets": ["127.0.0.1:92"], "labels": {"instance": "broker", "role": "broker"}},
        {"targets": ["127.0.0.1:93"], "labels": {"instance": "broker-2", "role": "broker"}},
        {"targets": ["127.0.0.1:91"], "labels": {"instance": "review-131041", "role": "review"}},
        {"targets": ["127.0.0.1:90"], "labels": {"instance": "router", "role": "router"}},
    ]
    assert json.loads(targets({})) == []


def test_what_is_written_is_what_yaml_reads(tmp_path: Path) -> None:
    value = {
        "a": [], "b": {}, "c": [1, 2.5, True, None, "x: #y\n- 審査"], "d": {"e": [{"f": 1, "g": [{"h": "no"}]}, [1]]},
        "jobs": scrape_configs(made(tmp_path)),
    }  # fmt: skip
    assert yaml.safe_load(dump(value)) == value
    with pytest.raises(TypeError, match="Path"):
        dump({"a": tmp_path})


def test_promtool_accepts_it(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is missing (Debian: apt install prometheus)")
        pytest.skip("promtool is not installed here (Debian: apt install prometheus)")
    file = tmp_path / "prometheus.yml"
    file.write_text(dump({"scrape_configs": scrape_configs(made(tmp_path))}), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "config", file], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    file.write_text(file.read_text().replace("job_name", "jobname", 1))
    assert subprocess.run(
        ["promtool", "check", "config", file], capture_output=True, timeout=60, check=False
    ).returncode
