"""The histories that `make test` tells, in runs of some hundred; SIMULATION_HISTORIES says how many in all."""

import os

from tests.simulation.history import run

HISTORIES = int(os.environ.get("SIMULATION_HISTORIES", "10000"))
A_RUN = 250
RUNS = range(0, HISTORIES, A_RUN)
"""The first seed of each run."""


def assert_all_hold(first: int) -> None:
    """Tell the histories of one run; what is wrong with any of them is said with the command that replays it."""
    reports = [run(seed) for seed in range(first, min(first + A_RUN, HISTORIES))]
    failed = [
        f"python -m tests.simulation {report.seed} --shrink: {report.wrong[0]}" for report in reports if report.wrong
    ]
    assert not failed, "Replay it with:\n" + "\n".join(failed)
    assert sum(report.facts for report in reports) > len(reports)
