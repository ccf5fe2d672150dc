"""A past decision made again from its receipt: the same bytes, or what differs, or what is missing to tell.

The funnel it shows is that of the decision: for each service of the catalogue then, how far it came and why no further.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from recommender.artifact import Artifact, ArtifactInvalid
from recommender.canonical import content_hash
from recommender.catalogue import Catalogue, CatalogueInvalid
from recommender.decisions import Decision
from recommender.receipt_sealing import InputsUnreadable, KeyGone
from recommender.receipts import Inputs, Receipts, answer_to
from recommender.suggestion import K_MAX, Answer, SuggestionRefused, render

Verdict = Literal["same", "differs", "missing"]
Document = Mapping[str, Any]

SUGGESTED: Final = "suggested"
LIMIT: Final = "limit"


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """How far a service came: `suggested`, or the stage it dropped out at; and why.

    `place` counts from 1 among those that no rule refused, None where it was not ranked, or too far down to be told.
    `suggestion` is what was, or would have been, answered about it.
    """

    service: str
    stage: str
    because: str
    place: int | None = None
    suggestion: Document | None = None


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What came of making a decision again.

    `same`: to the byte. `differs`: other bytes. `missing`: it cannot be made again; `findings` say what differs or is
    missing, whatever the verdict. `answer` and `funnel` are of now; None and empty where it cannot be made.
    """

    decision: str
    verdict: Verdict
    findings: tuple[str, ...]
    answer: Document | None = None
    funnel: tuple[Fate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Where models and catalogues are loaded from by name; ArtifactInvalid, CatalogueInvalid where they are not."""

    model: Callable[[str, Catalogue], Artifact]
    catalogue: Callable[[str], Catalogue]


@dataclass(frozen=True, slots=True)
class _Then:
    """All that a decision was made from."""

    inputs: Inputs
    artifact: Artifact
    catalogue: Catalogue


def explain(receipt: Decision, *, receipts: Receipts, archive: Archive) -> Explained:
    """Make the decision again; `receipts` are those of this installation as it is now."""
    findings = list(_versions(receipt, receipts))
    then = _gathered(receipt, receipts, archive, findings)
    if then is None:
        return Explained(decision=receipt.id, verdict="missing", findings=tuple(findings))
    try:
        answer = _answered(then, receipts, receipt.arm)
        wide = _answered(_wider(then), receipts)
    except SuggestionRefused as error:
        return Explained(decision=receipt.id, verdict="missing", findings=(*findings, f"the question: {error}"))
    rendered = render(answer)
    is_same = content_hash(rendered) == receipt.answer
    if not is_same:
        findings += _differences(receipt, answer)
    return Explained(
        decision=receipt.id,
        verdict="same" if is_same else "differs",
        findings=tuple(findings),
        answer=json.loads(rendered),
        funnel=tuple(_funnel(json.loads(render(wide)), asked=answer.k, catalogue=then.catalogue)),
    )


def _versions(receipt: Decision, receipts: Receipts) -> Iterator[str]:
    """What of the installation is another than it was; none of it keeps a decision from being the same."""
    if receipt.code != receipts.code:
        yield f"code: it was made by {receipt.code or 'an earlier version'}, this is {receipts.code}"
    if receipt.policy != receipts.policy:
        yield "policy: other rules of the door are in force; what they opened then is in the sealed inputs"


def _gathered(receipt: Decision, receipts: Receipts, archive: Archive, findings: list[str]) -> _Then | None:
    """What it was made from; None where some of it is missing, all of which is then among the findings."""
    inputs: Inputs | None = None
    artifact: Artifact | None = None
    catalogue: Catalogue | None = None
    try:
        inputs = receipts.inputs_of(receipt)
    except KeyGone as error:
        findings.append(f"inputs: {error}: the person was erased, and the decision with them")
    except InputsUnreadable as error:
        findings.append(f"inputs: {error}")
    try:
        catalogue = archive.catalogue(receipt.catalogue)
        artifact = archive.model(receipt.model, catalogue)
    except CatalogueInvalid as error:
        findings.append(f"catalogue: {error}")
    except ArtifactInvalid as error:
        findings.append(f"model: {error}; an erasure removes the models that knew the person, and so may anybody")
    if inputs is None or artifact is None or catalogue is None:
        return None
    return _Then(inputs, artifact, catalogue)


def _answered(then: _Then, receipts: Receipts, group: str = "") -> Answer:
    return answer_to(then.inputs, artifact=then.artifact, catalogue=then.catalogue, key=receipts.key, group=group)


def _wider(then: _Then) -> _Then:
    """The same question, for as many as may be asked for: it tells the places of those that came too late."""
    return _Then(replace(then.inputs, question=replace(then.inputs.question, k=K_MAX)), then.artifact, then.catalogue)


def _differences(receipt: Decision, answer: Answer) -> Iterator[str]:
    """What of the receipt the answer of now contradicts."""
    services = tuple(suggestion.service for suggestion in answer.suggestions)
    told = {
        "services": (", ".join(receipt.services), ", ".join(services)),
        "mode": (receipt.mode, answer.mode),
        "decision": (receipt.id, answer.decision),
        "grounds": (_told(receipt.grounds), _told(answer.grounds)),
    }
    found = [f"{name}: {then or 'none'} then, {now or 'none'} now" for name, (then, now) in told.items() if then != now]
    yield from found or ["words or figures: the same services in the same order, told otherwise"]


def _told(grounds: tuple[Any, ...]) -> str:
    return "; ".join(f"{each.purpose} by {each.basis} {' '.join(each.evidence)}" for each in grounds)


def _funnel(wide: Document, *, asked: int, catalogue: Catalogue) -> Iterator[Fate]:
    """The services in the order they came in, those that were ranked first."""
    named = set[str]()
    for place, suggestion in enumerate(wide["suggestions"], start=1):
        named.add(suggestion["service"])
        is_in = place <= asked
        yield Fate(
            service=suggestion["service"],
            stage=SUGGESTED if is_in else LIMIT,
            because="" if is_in else f"{asked} were asked for",
            place=place,
            suggestion=suggestion,
        )
    for each in wide["withheld"]:
        named.add(each["service"])
        yield Fate(service=each["service"], stage=each["stage"], because=each["because"])
    for service in sorted(catalogue.by_id.keys() - named):
        yield Fate(service=service, stage=LIMIT, because=f"ranked after the first {K_MAX}")
