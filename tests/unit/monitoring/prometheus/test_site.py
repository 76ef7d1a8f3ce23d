"""What a site's Prometheus and Alertmanager read; the real ones read it in tests/watch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring.prometheus.limits import Limits
from monitoring.prometheus.rules import all_alerts
from monitoring.prometheus.scrape import Scraping
from monitoring.prometheus.site import Site, site_files

HOME = Path("/home-of-the-hub")


@pytest.fixture(scope="module")
def texts() -> dict[str, Any]:
    scraping = Scraping(
        ("router", "review-131041"), HOME / "targets.json", HOME / "p.crt", HOME / "p.key", HOME / "ca.crt"
    )
    site = Site(Path("/site"), scraping, Limits.packaged(), alertmanager="pager.example.invalid:9093")
    return {name: yaml.safe_load(text) for name, text in site_files(site).items()}


def test_both_servers_ask_for_certificates_of_their_own_authority_over_tls_1_3(texts: dict[str, Any]) -> None:
    for name, server in (("web.yml", "prometheus"), ("alertmanager-web.yml", "alertmanager")):
        assert texts[name]["tls_server_config"] == {
            "cert_file": f"/site/tls/{server}.crt",
            "key_file": f"/site/tls/{server}.key",
            "client_auth_type": "RequireAndVerifyClientCert",
            "client_ca_file": "/site/tls/ca.crt",
            "min_version": "TLS13",
        }


def test_everything_is_asked_over_tls_and_the_hub_with_its_own_certificate(texts: dict[str, Any]) -> None:
    jobs = {job["job_name"]: job for job in texts["prometheus.yml"]["scrape_configs"]}
    assert {"router", "review-131041", "prometheus-itself", "alertmanager"} <= jobs.keys()
    for name, job in jobs.items():
        assert job["scheme"] == "https"
        assert job["tls_config"]["min_version"] == "TLS13"
        assert "insecure_skip_verify" not in job["tls_config"]
        own = name in ("prometheus-itself", "alertmanager")
        assert job["tls_config"]["ca_file"] == ("/site/tls/ca.crt" if own else str(HOME / "ca.crt"))
    (pager,) = texts["prometheus.yml"]["alerting"]["alertmanagers"]
    assert pager["static_configs"] == [{"targets": ["pager.example.invalid:9093"]}]
    assert pager["tls_config"]["ca_file"] == "/site/tls/ca.crt"


def test_the_rules_are_all_there_and_the_contacts_nobody(texts: dict[str, Any]) -> None:
    assert texts["prometheus.yml"]["rule_files"] == ["/site/rules/*.yaml"]
    found = {
        rule["alert"]
        for name, text in texts.items()
        if name.startswith("rules/")
        for group in text["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert found == all_alerts().keys()
    assert all(each.keys() == {"name"} for each in texts["alertmanager.yml"]["receivers"])
