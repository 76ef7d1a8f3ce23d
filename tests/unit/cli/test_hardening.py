"""What keeps memory off disks: said by the process itself, and looked for by the doctor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli import doctor
from cli.home import Home


def test_a_command_runs_undumpable_without_a_core_and_so_do_its_children() -> None:
    program = """
import ctypes, resource, subprocess, sys
import cli.main
cli.main.app = lambda: None
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
cli.main.main()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE), flush=True)
subprocess.run([sys.executable, "-c", "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"], check=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[3], capture_output=True, check=True, timeout=60
    )
    assert done.stdout.decode().splitlines() == ["0 (0, 0)", "(0, 0)"]


@pytest.mark.parametrize(("device", "kept"), [("/dev/zram0", True), ("/dev/no-such-disk9", False)])
def test_swap_in_the_clear_is_told_from_what_is_not(device: str, kept: bool) -> None:
    assert doctor._encrypted(Path(device)) is kept


def test_swap_in_the_clear_is_for_rehearsals_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "swaps"
    table.write_text("Filename Type Size\n/dev/sda9 partition 1\n")
    monkeypatch.setattr(doctor, "_SWAPS", table)
    monkeypatch.setattr(doctor, "_encrypted", lambda device: False)
    monkeypatch.setenv("HUB_NAMESPACE", "rehearsal")
    assert "rehearsals only" in doctor._swap()
    monkeypatch.setenv("HUB_NAMESPACE", "eltax")
    with pytest.raises(RuntimeError, match="/dev/sda9"):
        doctor._swap()


def test_the_doctor_looks_at_swap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cli.people.the_home", lambda: Home(tmp_path))
    assert "swap" in {name for name, _, _ in doctor._checks()}
