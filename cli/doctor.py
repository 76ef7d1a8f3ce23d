"""`doctor`: can this machine run the hub, and is what runs here well?"""

from __future__ import annotations

import shutil
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli.output import console, json_line, reports_errors

Check = tuple[str, bool, str]
_MIN_DISK_BYTES = 2 * 2**30
_SWAPS = Path("/proc/swaps")


@reports_errors
def doctor(as_json: Annotated[bool, typer.Option("--json", help="one object per check")] = False) -> None:
    """Check this machine and the hub of HUB_HOME; exit 1 if something is not well. / 動作環境を点検する"""
    good = True
    for name, fine, detail in _checks():
        good = good and fine
        if as_json:
            json_line({"check": name, "ok": fine, "detail": detail})
        else:
            console.print(f"{'[green]ok  [/]' if fine else '[bold red]FAIL[/]'} {name:<24} {detail}")
    if not good:
        raise typer.Exit(1)


def _checks() -> Iterator[Check]:
    yield "python", sys.version_info >= (3, 11), sys.version.split()[0]
    yield "tls 1.3", ssl.HAS_TLSv1_3, ssl.OPENSSL_VERSION
    yield from _guarded("hybrid keys", _hybrid)
    yield from _guarded("java runtime", _java)
    yield from _guarded("kafka jars", _jars)
    yield from _guarded("contracts", _contracts)
    yield from _guarded("topics declaration", _declaration)
    from cli.people import the_home

    home = the_home()
    where = next(path for path in (home.path, *home.path.parents) if path.exists())
    free = shutil.disk_usage(where).free
    yield "disk", free > _MIN_DISK_BYTES, f"{free / 2**30:.1f} GiB free at {where}"
    yield from _guarded("swap", _swap)
    yield from _hub()


def _swap() -> str:
    """Memory must not reach a disk in the clear; artificial people's may (docs/secrets.md)."""
    from hub.settings import HomeSettings, is_rehearsal

    if not _SWAPS.exists():
        return "not known on this system: see docs/secrets.md"
    devices = [line.split()[0] for line in _SWAPS.read_text().splitlines()[1:]]
    clear = [device for device in devices if not _encrypted(Path(device))]
    if clear and not is_rehearsal(HomeSettings().namespace):
        raise RuntimeError(f"in the clear on {', '.join(clear)}; turn it off or encrypt it: docs/secrets.md")
    return f"in the clear on {', '.join(clear)}: for rehearsals only" if clear else "none in the clear"


def _encrypted(device: Path) -> bool:
    """Whether it is dm-crypt, or compressed memory."""
    name = device.resolve().name
    kind = Path("/sys/block") / name / "dm" / "uuid"
    return name.startswith("zram") or (kind.exists() and kind.read_text().startswith("CRYPT-"))


def _guarded(name: str, work: Callable[[], str]) -> Iterator[Check]:
    try:
        yield name, True, work()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the doctor was asked for
        yield name, False, f"{type(error).__name__}: {error}"


def _hybrid() -> str:
    from hub.crypto.audience import AudiencePrivateKey, Suite, seal

    key = AudiencePrivateKey.generate(Suite.HYBRID)
    if key.open(seal(key.suite, key.public, b"doctor", bytes(32)), b"doctor") != bytes(32):
        raise RuntimeError("sealed and opened differ")
    return "ML-KEM-768 + X25519 seal and open"


def _java() -> str:
    from broker.java import command

    return command((), "64m", "-version")[0]


def _jars() -> str:
    from broker.jars import cache_directory, read_lock

    pinned, where = read_lock(), cache_directory()
    there = sum((where / jar.file).exists() for jar in pinned)
    return f"{there} of {len(pinned)} in {where}" + ("" if there == len(pinned) else "; the first start fetches them")


def _contracts() -> str:
    from schemas.registry import all_contracts

    return f"{len(all_contracts())} contracts agree with the lock"


def _declaration() -> str:
    from cli.people import the_home
    from hub.settings import HomeSettings
    from topics.declaration import load

    return f"{len(load(the_home().declared_in(HomeSettings().topics_file)).tenants)} tenants"


def _hub() -> Iterator[Check]:
    from cli.home import NoHub
    from cli.people import the_home

    home = the_home()
    try:
        running = home.running()
    except NoHub:
        yield "hub", True, f"none runs in {home.path}"
        return
    yield "hub", True, f"brokers {running.bootstrap}"
    scraper = home.scraper()
    for name, url in running.metrics.items():
        yield name, scraper.ok(url.removesuffix("/metrics") + "/readyz", name), url
    for certificate in sorted(Path(running.certificates).glob("*.crt")):
        yield from _guarded(certificate.stem, lambda path=certificate: _life(path))  # type: ignore[misc]


def _life(path: Path) -> str:
    from datetime import UTC, datetime

    from hub.crypto.certificates import expires_at

    days = (expires_at(path) - datetime.now(UTC)).days
    if days < 14:
        raise RuntimeError(f"certificate ends in {days} days")
    return f"certificate good for {days} days"
