"""A model on one page: what it is, what it was made from, how it did, and what it may be used for (Mitchell 2019)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from events.shape import format_time
from recommender.manifest import Calibrated, Manifest, Metrics

_TASKS: Final = {
    "repeat": "own order, anything",
    "new": "own order, only what is new to the person",
    "served": "what the funnel then serves",
}
_ON: Final = {
    "answers": "answers to suggestions that were presented",
    "choices": "what people took by themselves, as nothing was presented often enough: the probability is that of "
    "taking the service within {days:.1f} days, not that of saying yes",
    "nothing": "nothing: the figures are shares, not probabilities",
}


def model_card(name: str, manifest: Manifest, *, record: Mapping[str, Any] | None, signature: str) -> str:
    """The page in Markdown. `signature` says in words what of the record is signed."""
    parts = (
        [f"# Model {name}", "", *_made(manifest)],
        ["## What serves", "", *_serves(manifest)],
        ["## How it did", "", *_did(manifest)],
        ["## Probabilities", "", *_calibrated(manifest.calibrated)],
        ["## Whose data", "", *_whose(record, signature)],
        ["## What it is for", "", _PURPOSE],
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


_PURPOSE: Final = (
    "Ordering services for people who allow personal suggestions, within the funnel's rules. It holds no row of any "
    "person. It is not for prices, credit or anything else that decides about people."
)


def _made(manifest: Manifest) -> Iterator[str]:
    window = "nothing" if manifest.window is None else " to ".join(map(format_time, manifest.window))
    yield f"- made by version {manifest.code or 'unknown'} from takings of {window}"
    yield (
        f"- {manifest.examples:,} takings of {manifest.people:,} people; {len(manifest.services):,} services, "
        f"{len(manifest.features):,} features"
    )
    yield f"- catalogue {manifest.catalogue}, consent rules {manifest.policy or 'none'}"


def _serves(manifest: Manifest) -> Iterator[str]:
    yield f"**{manifest.ranker}**: {manifest.gate}"
    if manifest.parts:
        yield ""
        rows = [[label, f"{part.repeat:g}", f"{part.new:g}"] for label, part in sorted(manifest.parts.items())]
        yield from _table(["part", "weight for repeats", "weight for what is new"], rows)
    for kind, why in sorted(manifest.left_out.items()):
        yield f"\n{kind} was left out: {why}"


def _did(manifest: Manifest) -> Iterator[str]:
    if manifest.cut_off is None:
        yield "Too little happened to judge by."
        return
    yield f"On what people took from {format_time(manifest.cut_off)} on, fitted on what lay before."
    yield ""
    rows = [
        _row(label, task, found) for label, tasks in sorted(manifest.metrics.items()) for task, found in tasks.items()
    ]
    yield from _table(["ranker", "judged by", "NDCG@10", "HR@3", "macro recall@3", "people"], rows)


def _row(label: str, task: str, found: Metrics) -> list[str]:
    ndcg, hits = found.ndcg_at_10, found.hit_rate_at_3
    return [
        label,
        _TASKS[task],
        f"{ndcg.value:.3f} ({ndcg.low:.3f} to {ndcg.high:.3f})",
        f"{hits.value:.3f} ({hits.low:.3f} to {hits.high:.3f})",
        f"{found.macro_recall_at_3:.3f}",
        f"{found.people:,}",
    ]


def _calibrated(found: Calibrated) -> Iterator[str]:
    yield f"Learnt from {_ON[found.on].format(days=found.horizon / 86_400_000)}."
    if found.pairs:
        yield f"{found.pairs:,} pairs of a person and a service, {found.positives:,} of them taken."
    if found.ece is not None:
        yield (
            f"On {found.judged_pairs:,} later pairs: expected calibration error {found.ece:.4f} (ten bins), "
            f"Brier score {found.brier_skill or 0:.1%} below that of the base rate."
        )


def _whose(record: Mapping[str, Any] | None, signature: str) -> Iterator[str]:
    if record is None:
        yield "No record of the training is there."
        return
    rows = [[f"allowed by {basis}", str(count)] for basis, count in record.get("allowed_by", {}).items()]
    rows += [[f"left out: {why}", str(count)] for why, count in record.get("refused_because", {}).items()]
    yield f"People at {format_time(int(record.get('snapshot', 0)))}; with facts {record.get('people_with_facts', 0):,}."
    yield ""
    yield from _table(["people", "how many"], rows)
    yield ""
    ledger = record.get("ledger")
    if isinstance(ledger, Mapping):
        yield f"Ledger {ledger.get('origin')} of {ledger.get('size')} entries, root {ledger.get('root')}."
    yield signature


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"
