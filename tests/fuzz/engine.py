"""One target under atheris, in a process of its own: `python -m tests.fuzz.engine TARGET FINDINGS [libFuzzer options]`.

The engine's modules come first: what is imported before is not instrumented. A broken promise does not end the
run: its input is kept once per place, and the run goes on. Hanging and running out of memory do end it.
"""

from __future__ import annotations

import random
import sys
import traceback
from pathlib import Path

import atheris  # type: ignore[import-untyped]

_OURS = ["schemas", "topics", "hub", "portal", "consumers", "monitoring", "assurance", "cli"]


def main(arguments: list[str]) -> None:
    """Never returns: libFuzzer ends the process."""
    name, out, *options = arguments
    with atheris.instrument_imports(include=_OURS):
        from tests.fuzz.guard import Finding
        from tests.fuzz.targets import ALL
    target = ALL[name]
    kept = Path(out)
    kept.mkdir(parents=True, exist_ok=True)
    seen: set[tuple[str, str, int]] = set()

    def one(data: bytes) -> None:
        try:
            target.run(data)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            frames = [
                each for each in traceback.extract_tb(error.__traceback__) if not each.filename.endswith("guard.py")
            ]
            place = frames[-1]
            what = (
                f"{type(error).__name__}{str(error) if isinstance(error, Finding) else ''}",
                place.filename,
                place.lineno or 0,
            )
            if what in seen:
                return
            seen.add(what)
            stem = f"{len(list(kept.glob('*.bin'))):03d}-{type(error).__name__}-{Path(what[1]).stem}-{what[2]}"
            (kept / f"{stem}.bin").write_bytes(data)
            (kept / f"{stem}.txt").write_text("".join(traceback.format_exception(error)))
            print(f"FINDING {stem}", file=sys.stderr, flush=True)

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        assert target.change is not None
        made = target.change(data, rng) if rng.random() < 0.5 else data
        if made == data or len(made) > max_size:
            return bytes(atheris.Mutate(data, max_size))
        return made

    if target.change is None:
        atheris.Setup([sys.argv[0], *options], one)
    else:
        atheris.Setup([sys.argv[0], *options], one, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
