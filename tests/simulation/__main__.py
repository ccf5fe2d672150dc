"""Replay one history and tell each step: `python -m tests.simulation SEED [--shrink]`."""

import argparse
import sys

from tests.simulation.history import run, shrunk


def main() -> int:
    """Exit status 1 where an invariant does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, help="the history to replay")
    parser.add_argument("--shrink", action="store_true", help="leave out the faults it fails without")
    chosen = parser.parse_args()
    without = shrunk(chosen.seed) if chosen.shrink else ()
    report = run(chosen.seed, without=without, tell=print)
    out = [f"history {report.seed}: {report.calls} calls, {report.facts} facts, {len(report.met)} faults"]
    out += [f"  call {fault.call}: {fault.name} {fault.size:.2f}" for fault in report.met]
    out += [f"WRONG: {what}" for what in report.wrong] or ["every invariant holds"]
    sys.stdout.write("\n".join(out) + "\n")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
