"""`python -m benchmarks ledger`: consent acts put down, audited, opened again, proven.

Each step runs in a process of its own, so that its memory is its own. CPU time is that of the process; wall clock has
the disk in it. The audit is the one of `rapport ledger verify`, against a checkpoint taken half way.
"""

import multiprocessing
import random
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from benchmarks.options import AgainOption, ResultsOption
from benchmarks.results import RESULTS, Results, keep, open_results, spread
from benchmarks.servers import bench_folder, load_average
from benchmarks.stopwatch import Stopwatch, peak_rss_mib
from benchmarks.tables import Page, met, show
from consent.ledger import LEAVES, OPENINGS, Ledger
from consent.ledger_follower import LedgerFollower, fact_id
from consent.ledger_note import make_signer, read_checkpoint
from consent.ledger_proof import fault_of
from consent.ledger_verify import audit
from events.following import STRETCH, Stretch
from events.position import Position
from tests.builders import NOW, consent

AUDIT_S_MAX: Final = 10.0
"""For a million entries."""
SIGNER: Final = make_signer("example.com/benchmark", bytes(32))
PEOPLE: Final = 1000
PROOFS: Final = 200


class Spent(NamedTuple):
    """What a step took, and what it answered."""

    cpu_s: float
    wall_s: float
    rss_mib: float
    answer: Any


def main(
    *,
    entries: Annotated[int, typer.Option(help="consent acts")] = 1_000_000,
    rounds: Annotated[int, typer.Option(help="how often it is audited, opened and proven from")] = 5,
    again: AgainOption = False,
    results: ResultsOption = RESULTS,
) -> None:
    """Measure, keep and print the table."""
    path = results / "ledger.json"
    kept = open_results(path, experiment="ledger", settings={"entries": entries}, fresh=again)
    with bench_folder() as folder:
        ledger = folder / "ledger"
        spent = _apart(_put_down, ledger, entries)
        kept.runs.append(_run("put down", 1, spent))
        kept.runs[-1]["bytes"] = {name: _bytes(ledger / name) for name in (LEAVES, OPENINGS)}
        for number in range(1, rounds + 1):
            for name, step in STEPS.items():
                kept.runs.append(_run(name, number, _apart(step, ledger, spent.answer)))
    keep(kept, path)
    show(ledger_page(kept), title=f"{entries:,} entries")


def _put_down(folder: Path, entries: int) -> str:
    """Append stretch by stretch, as the keeper does; the checkpoint taken half way."""
    people = [consent("given", "profile.build", identity=f"app:{number}") for number in range(PEOPLE)]
    follower = LedgerFollower(Ledger(folder))
    note = ""
    for start in range(0, entries, STRETCH):
        end = min(start + STRETCH, entries)
        facts = [(Position(1, 0, offset), people[offset % PEOPLE]) for offset in range(start, end)]
        follower.take(Stretch(epoch=1, partition=0, start=start, end=end, facts=facts))
        if not note and end >= entries // 2:
            note = follower.ledger.checkpoint([SIGNER], now_ms=NOW)
    follower.ledger.checkpoint([SIGNER], now_ms=NOW)
    follower.ledger.close()
    return note


def _audit_all(folder: Path, note: str) -> None:
    done = audit(folder, key=SIGNER.verifier, pinned=read_checkpoint(note))
    assert done.holds, done.findings
    assert done.opened == done.leaves > 0


def _audit_leaves(folder: Path, note: str) -> None:
    """As somebody does who was given no openings."""
    copy = folder.parent / "copy"
    copy.mkdir(exist_ok=True)
    for name in (LEAVES, "checkpoint"):
        if not (copy / name).exists():
            (copy / name).symlink_to(folder / name)
    done = audit(copy, key=SIGNER.verifier, pinned=read_checkpoint(note))
    assert done.holds, done.findings


def _open(folder: Path, _: str) -> None:
    Ledger(folder).close()


def _prove(folder: Path, note: str) -> list[float]:
    """Milliseconds of CPU for each of many proofs from random places, each with its consistency."""
    ledger, rng, took = Ledger(folder), random.Random(1), []
    pinned = read_checkpoint(note)
    for _ in range(PROOFS):
        offset = rng.randrange(ledger.size)
        began = time.process_time()
        proof = ledger.prove(fact_id(Position(1, 0, offset)), since=pinned.size)
        took.append((time.process_time() - began) * 1000)
        assert fault_of(proof, key=SIGNER.verifier, pinned=pinned) is None
    ledger.close()
    return sorted(took)


STEPS: Final[dict[str, Callable[[Path, str], Any]]] = {
    "audit, with openings": _audit_all,
    "audit, leaves only": _audit_leaves,
    "open": _open,
    "prove": _prove,
}
"""Step -> what it runs, given the folder and the earlier checkpoint."""


def _apart(step: Callable[..., Any], *given: object) -> Spent:
    """Run a step in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        return fresh.submit(_measured, step, given).result()


def _measured(step: Callable[..., Any], given: tuple[object, ...]) -> Spent:
    watch = Stopwatch()
    answer = step(*given)
    wall_s, cpu_s = watch.read()
    return Spent(cpu_s, wall_s, peak_rss_mib(), answer)


def _run(name: str, number: int, spent: Spent) -> dict[str, Any]:
    run = {"step": name, "round": number, "cpu_s": spent.cpu_s, "wall_s": spent.wall_s, "rss_mib": spent.rss_mib}
    if isinstance(spent.answer, list):
        run |= {"p50_ms": spent.answer[len(spent.answer) // 2], "p99_ms": spent.answer[len(spent.answer) * 99 // 100]}
    return run | {"load_average": load_average()}


def ledger_page(results: Results) -> Page:
    """One row per step: CPU and wall clock in seconds, memory, and the bar."""
    entries = results.settings["entries"]
    rows = []
    for name in dict.fromkeys(run["step"] for run in results.runs):
        runs = [run for run in results.runs if run["step"] == name]
        cpu, wall, rss = (spread([run[field] for run in runs]) for field in ("cpu_s", "wall_s", "rss_mib"))
        row = [name, f"{cpu.median:.2f}", f"{cpu.least:.2f}-{cpu.most:.2f}", f"{wall.median:.2f}", f"{rss.most:.0f}"]
        rows.append([*row, _said(runs[-1], entries), _bar(name, wall.median, entries)])
    return Page(["step", "CPU s", "spread", "wall s", "RSS MiB", "", "bar"], rows)


def _said(run: dict[str, Any], entries: int) -> str:
    if "p99_ms" in run:
        return f"{PROOFS} proofs, each p50 {run['p50_ms']:.1f} ms, p99 {run['p99_ms']:.1f} ms"
    if "bytes" in run:
        each = {name: size / entries for name, size in run["bytes"].items()}
        told = f"{each[LEAVES]:.0f} bytes of leaf, {each[OPENINGS]:.0f} of opening"
        return f"{run['cpu_s'] / entries * 1e6:.1f} µs an entry, {told}"
    return ""


def _bar(name: str, wall_s: float, entries: int) -> str:
    if not name.startswith("audit"):
        return ""
    most = AUDIT_S_MAX * entries / 1e6
    return met(wall_s <= most, f"at most {most:g}")


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())
