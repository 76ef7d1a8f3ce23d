"""`make bench`: ratios of one run on this machine. Absolute figures of a shared machine mean little."""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks import bench_path, bench_router


def main() -> None:
    """Run both benchmarks and print one JSON object."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--events", type=int, default=20_000, help="sealed events for the router and the relay")
    arguments.add_argument("--submissions", type=int, default=4_000, help="documents for portal and review")
    chosen = arguments.parse_args()
    found = {
        "seed": bench_path.SEED,
        "routing": bench_router.run(chosen.events, chosen.rounds),
        "path": bench_path.run(chosen.submissions, chosen.rounds),
    }
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
