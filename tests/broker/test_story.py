"""`examples/story.sh` as a person runs it: from the filing to the tax teams and back, checked at every step."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
STEPS = 11


@pytest.mark.broker
@pytest.mark.soak(target="story")  # CI runs it by itself, after all others
@pytest.mark.timeout(420)
def test_the_story_holds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("HUB_") or name == "HUB_KAFKA_COMPILER"
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    environment = {**kept, "PATH": path, "TMPDIR": str(tmp_path), "HOME": os.environ["HOME"]}
    done = subprocess.run(
        [shell, str(ROOT / "examples" / "story.sh")],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    steps = [line for line in done.stdout.splitlines() if line.startswith("== ")]
    assert len(steps) == STEPS, steps
    assert steps[-1] == "== the story is complete"
    assert list(tmp_path.iterdir()) == []
