"""The answer to "what next for this person?": one pure function.

General mode, whenever `suggest.personal` is not allowed, is a function of artifact, catalogue, channel, clock bucket
and deny-only facts; the person's reference enters nothing but the decision's id. Personal mode makes the person's
vector afresh from the facts handed in, so the last event already counts.
"""

import hashlib
from collections.abc import Mapping
from itertools import chain, islice
from typing import NamedTuple

import msgspec
import numpy as np

from recommender.artifact import Artifact
from recommender.catalogue import Catalogue
from recommender.features import Feature
from recommender.funnel import Known, Refused, refused, withheld
from recommender.needs import NeedFound, needs_found
from recommender.personal import holdings
from recommender.reasons import REASONS_MAX, model_reasons, need_reason
from recommender.scoring import Shares, personal_shares, popularity_shares
from recommender.shelf import Numbers, Shelf, shelf_of
from recommender.suggestion import (
    BUCKET_MS,
    K_MAX,
    Answer,
    Confidence,
    Reason,
    Score,
    Suggestion,
    SuggestionInput,
    SuggestionRefused,
    bucket_start,
)


class _Ground(NamedTuple):
    """What the choice rests on, in either mode."""

    known: Known
    shares: Shares
    features: Mapping[str, Feature]
    needs: tuple[NeedFound, ...]


def suggest(
    person: SuggestionInput,
    *,
    artifact: Artifact,
    catalogue: Catalogue,
    channel: str | None,
    k: int,
    now: int,
    key: bytes,
) -> Answer:
    """At most `k` suggestions, never none, at `now` (ms).

    `channel` None stands for no channel in particular. `key` (16 to 64 secret bytes) makes decision ids unguessable.
    SuggestionRefused where k is out of range. Same inputs, same answer until `valid_until`.
    """
    if not 1 <= k <= K_MAX:
        raise SuggestionRefused(f"k lies between 1 and {K_MAX}")
    at = bucket_start(now)
    shelf = shelf_of(artifact, catalogue)
    ground = _ground(person, shelf=shelf, channel=channel, at=at)
    no = refused(shelf, ground.known)
    scores = _scores(ground, shelf)
    best = _best(no, scores, shelf=shelf, k=k)
    valid_until = at + BUCKET_MS
    return Answer(
        decision=_decision_id(key, person.ref, channel, k, artifact.name, catalogue.hash, person.hash, valid_until),
        mode="general" if person.personal is None else "personal",
        channel=channel,
        k=k,
        suggestions=tuple(
            _suggestion(place, spoken, scores.item(place), ground=ground, shelf=shelf)
            for place, spoken in zip(best, ground.shares.speaking_for(best), strict=True)
        ),
        withheld=withheld(shelf, no),
        beyond=len(shelf.services) - len(no) - len(best),
        grounds=() if person.personal is None else person.personal.grounds,
        ranker="popularity" if person.personal is None else artifact.manifest.ranker,
        model=artifact.name,
        catalogue=catalogue.hash,
        valid_until=valid_until,
    )


def _ground(person: SuggestionInput, *, shelf: Shelf, channel: str | None, at: int) -> _Ground:
    catalogue = shelf.catalogue
    is_staff = channel is None or channel in catalogue.staff_channels
    facts = person.personal
    if facts is None:
        known = Known(channel=channel, is_staff=is_staff, at=at, restraints=person.restraints)
        return _Ground(known, popularity_shares(shelf), {}, ())
    held = holdings(facts.service, catalogue)
    # A service that tells of children or health still rules itself out, but speaks for nothing while that is closed.
    spoken = {
        each: taking for each, taking in held.items() if facts.has_sensitive or not catalogue.by_id[each].sensitive
    }
    needs = tuple(needs_found(facts, catalogue=catalogue, held=spoken, at=at))
    known = Known(
        channel=channel,
        is_staff=is_staff,
        at=at,
        restraints=person.restraints,
        purposes=facts.purposes,
        held=held,
        needed={service for found in needs for service in found.need.suggests},
    )
    shares = personal_shares(shelf, facts, held=spoken, at=at)
    return _Ground(known, shares, shares.features, needs)


def _scores(ground: _Ground, shelf: Shelf) -> Numbers:
    """Share times value, and what the needs add; by place."""
    gains: dict[int, float] = {}
    for found in ground.needs:
        for service, gain in found.need.suggests.items():
            gains[shelf.place[service]] = gains.get(shelf.place[service], 0.0) + gain
    scores = ground.shares.values * shelf.value
    for place, gain in gains.items():
        scores[place] += gain
    # Rounded, so that the last bit of a sum cannot decide an order.
    return scores.round(6)


def _best(no: Refused, scores: Numbers, *, shelf: Shelf, k: int) -> list[int]:
    """The places of the first k: fallbacks last, mandatory services first, then by score; the id breaks a tie."""
    # One number says both.
    keys = shelf.ahead - scores
    keys[list(no)] = np.inf
    # So many blocks have their least at or below the bound, so at least as many services lie there, ties included.
    leasts = np.minimum.reduceat(keys, shelf.blocks)
    leasts.sort()
    bound = leasts[k - 1] if k <= len(leasts) else np.inf
    places = (keys <= bound).nonzero()[0].tolist()
    order = sorted(
        (shelf.rank[place], -scores.item(place), shelf.alphabetical[place], place)
        for place in places
        if place not in no
    )
    return [place for *_, place in order[:k]]


def _suggestion(place: int, spoken: tuple[str, ...], score: float, *, ground: _Ground, shelf: Shelf) -> Suggestion:
    service = shelf.services[place].id
    needs = [need_reason(found) for found in ground.needs if service in found.need.suggests]
    modelled = model_reasons(
        service, spoken, features=ground.features, tellings=shelf.tellings, artifact=shelf.artifact
    )
    personal = (reason for reason in chain(needs, modelled) if reason.sayable or ground.known.is_staff)
    reasons = tuple(islice(personal, REASONS_MAX)) or (shelf.general[place],)
    return Suggestion(
        service=service,
        name=shelf.names[place],
        say=shelf.say[place],
        score=Score(score),
        confidence=_confidence(needs, spoken),
        reasons=reasons,
    )


def _confidence(needs: list[Reason], spoken: tuple[str, ...]) -> Confidence:
    if needs:
        return "high"
    return "medium" if spoken else "low"


def _decision_id(key: bytes, *parts: str | int | None) -> str:
    return hashlib.blake2b(msgspec.json.encode(parts), key=key, digest_size=16).hexdigest()
