"""`python -m tests.mutants`: mutants of everything that decides about consent, and which of them the tests kill."""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.house.tree import ROOT
from tests.mutants.gates import all_mutants, chosen
from tests.mutants.kept import HUNG, Tried
from tests.mutants.known import once_survived, unchanging
from tests.mutants.trial import TELLERS, tellers_of, tried

KEPT = ROOT / "build" / "mutants.jsonl"


def main() -> int:
    """0 when enough were killed, and all of those that once survived; 1 otherwise."""
    given = _parser().parse_args()
    known = unchanging()
    wanted = given.only or [""]
    told_of = [each for each in all_mutants() if any(one in each.name for one in wanted)]
    mutants = [each for each in told_of if (each.name in known) == given.unchanging]
    again = [each for each in mutants if each.name in once_survived()]
    tried_now = mutants if given.count is None else chosen(mutants, seed=given.seed, count=given.count)
    picked = list({each.name: each for each in (*again, *tried_now)}.values())
    if given.list:
        sys.stdout.write("".join(f"{each.name}\n" for each in picked))
        return 0
    if not picked:
        sys.stdout.write("there is no such mutant\n")
        return 1
    is_whole = given.count is None
    with tempfile.TemporaryDirectory() as folder:
        kept = KEPT if is_whole else Path(folder) / KEPT.name
        found = list(tried(picked, kept=kept, thorough=is_whole, examples=given.examples, jobs=given.jobs))
    report = text(found, of=len(mutants), known=known)
    sys.stdout.write(report)
    if given.report:
        given.report.write_text(report, encoding="utf-8")
        TELLERS.write_text(json.dumps(tellers_of(found), indent=1) + "\n", encoding="utf-8")
    survived = [each for each in found if not each.told]
    if given.unchanging:
        return 0 if survived == found else 1
    is_back = any(each.mutant.name in once_survived() for each in survived)
    return 1 if is_back or len(survived) > given.may_survive * len(found) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which ones, where not all are tried")
    parser.add_argument("--count", type=int, help="so many of them; all where this is not given")
    parser.add_argument("--only", action="append", help="those whose name holds this; again for more")
    parser.add_argument("--examples", type=int, default=50, help="for each property")
    parser.add_argument("--may-survive", type=float, default=0.05, help="the share that may survive")
    parser.add_argument("--report", type=Path, help="write what is told into this file as well")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="so many at a time")
    parser.add_argument("--unchanging", action="store_true", help="only those said to change nothing: all must survive")
    parser.add_argument("--list", action="store_true", help="name them and try none")
    return parser


def text(found: Iterable[Tried], *, of: int, known: Mapping[str, str]) -> str:
    """The page: how many were killed of each module, every survivor by name, and what is not tried, with the reason."""
    counts: dict[str, Counter[str]] = {}
    survivors = []
    for mutant, told in found:
        counts.setdefault(mutant.module, Counter())[told if told == HUNG else "killed" if told else "survived"] += 1
        if not told:
            survivors.append(mutant.name)
    total = sum(counts.values(), Counter[str]())
    killed = total["killed"] + total[HUNG]
    share = 100 * killed / (total.total() or 1)
    rows = [
        f"| `{name}` | {fates.total()} | {fates.total() - fates['survived']} |"
        for name, fates in sorted(counts.items())
    ]
    head = [
        "# Mutants of the gates",
        "",
        "Written by `python -m tests.mutants --report docs/reference/mutants.md`.",
        "[Decision 85](../decisions/0085-noninterference.md) says what is mutated, and how.",
        "",
        f"{total.total()} of {of} mutants tried, {killed} killed ({share:.1f} %), {total[HUNG]} as they never ended.",
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
