"""`python -m tests.mutants`: mutants of everything that decides about consent, and which of them the tests kill."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.mutants.gates import Mutant, all_mutants, chosen
from tests.mutants.known import once_survived, unchanging
from tests.mutants.trial import Fate, fate_of, preload


class Tried(NamedTuple):
    """A mutant and what became of it."""

    mutant: Mutant
    fate: Fate


def main() -> int:
    """0 when enough were killed, and all of those that once survived; 1 otherwise."""
    given = _parser().parse_args()
    known = unchanging()
    mutants = [each for each in all_mutants() if each.name not in known and given.only in each.name]
    again = [each for each in mutants if each.name in once_survived()]
    tried_now = mutants if given.count is None else chosen(mutants, seed=given.seed, count=given.count)
    picked = list({each.name: each for each in (*again, *tried_now)}.values())
    if given.list:
        sys.stdout.write("".join(f"{each.name}\n" for each in picked))
        return 0
    if not picked:
        sys.stdout.write("there is no such mutant\n")
        return 1
    preload()
    tried = [_told(each, examples=given.examples) for each in picked]
    report = text(tried, of=len(mutants), known=known)
    sys.stdout.write(report)
    if given.report:
        given.report.write_text(report, encoding="utf-8")
    survived = [each for each in tried if each.fate == "survived"]
    is_back = any(each.mutant.name in once_survived() for each in survived)
    return 1 if is_back or len(survived) > given.may_survive * len(tried) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which ones, where not all are tried")
    parser.add_argument("--count", type=int, help="so many of them; all where this is not given")
    parser.add_argument("--only", default="", help="those whose name holds this")
    parser.add_argument("--examples", type=int, default=50, help="for each property")
    parser.add_argument("--may-survive", type=float, default=0.05, help="the share that may survive")
    parser.add_argument("--report", type=Path, help="write what is told into this file as well")
    parser.add_argument("--list", action="store_true", help="name them and try none")
    return parser


def _told(mutant: Mutant, *, examples: int) -> Tried:
    began = time.monotonic()
    tried = Tried(mutant, fate_of(mutant, examples=examples))
    sys.stderr.write(f"{tried.fate} after {time.monotonic() - began:.0f} s: {mutant.name}\n")
    return tried


def text(tried: Iterable[Tried], *, of: int, known: Mapping[str, str]) -> str:
    """The page: how many were killed of each module, every survivor by name, and what is not tried, with the reason."""
    counts: dict[str, Counter[Fate]] = {}
    survivors = []
    for mutant, fate in tried:
        counts.setdefault(mutant.module, Counter())[fate] += 1
        if fate == "survived":
            survivors.append(mutant.name)
    total = sum(counts.values(), Counter[Fate]())
    killed = total["killed"] + total["hung"]
    share = 100 * killed / (total.total() or 1)
    rows = [
        f"| `{name}` | {found.total()} | {found.total() - found['survived']} |"
        for name, found in sorted(counts.items())
    ]
    head = [
        "# Mutants of the gates",
        "",
        "Written by `python -m tests.mutants --report docs/reference/mutants.md`.",
        "[Decision 85](../decisions/0085-noninterference.md) says what is mutated, and how.",
        "",
        f"{total.total()} of {of} mutants tried, {killed} killed ({share:.1f} %), {total['hung']} as they never ended.",
        "",
        "| module | tried | killed |",
        "|---|---|---|",
    ]
    listed = [f"- `{name}`" for name in sorted(survivors)] or ["None."]
    same = [f"- `{name}`: {why}" for name, why in sorted(known.items())]
    return "\n".join(
        [*head, *rows, "", "## Survived", "", *listed, "", "## Change nothing, and are not tried", "", *same, ""]
    )


if __name__ == "__main__":
    raise SystemExit(main())
