"""`python -m tests.noninterference`: the long run, 100,000 pairs for answers and 2,000 for artifacts."""

import argparse
import sys
from typing import Final

from tests.noninterference.harness import KINDS, compared

LONG: Final = {"answers": 100_000, "fields": 10_000, "messages": 10_000, "artifacts": 2_000, "processes": 200}
"""Pairs of each kind in the long run."""


def main() -> int:
    """0 when no byte differed; 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.noninterference", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed, other pairs")
    parser.add_argument("--only", choices=sorted(KINDS), help="pairs of one kind alone")
    parser.add_argument("--pair", type=int, help="one pair alone, by its number")
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=LONG[kind], metavar="PAIRS")
    chosen = parser.parse_args()
    is_clean = True
    for kind in [chosen.only] if chosen.only else KINDS:
        numbers = range(getattr(chosen, kind)) if chosen.pair is None else [chosen.pair]
        findings = compared(kind, numbers, seed=chosen.seed)
        sys.stdout.write(f"{kind}, seed {chosen.seed}\n{findings.text()}\n")
        sys.stdout.flush()
        is_clean = is_clean and not findings.differing
    return 0 if is_clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
