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

from recommender import reasons
from recommender.arbitration import Ranked, contexts_of, factors_of, ranked, topics_now
from recommender.artifact import Artifact
from recommender.caps import GENERAL_DECISION, heard_enough_of, offers_heard, told_to
from recommender.catalogue import Catalogue, Context
from recommender.features import spoken
from recommender.funnel import Known, Refused, refused, withheld
from recommender.needs import NeedFound, needs_found
from recommender.personal import PersonalFacts, Taking, latest, standing_takings
from recommender.reasons import REASONS_MAX, need_reason, reasons_for
from recommender.scoring import Shares, personal_shares, popularity_shares
from recommender.shelf import BLOCK, Numbers, Shelf, shelf_of
from recommender.suggestion import (
    BUCKET_MS,
    K_MAX,
    Answer,
    Confidence,
    Mode,
    Reason,
    Score,
    Suggestion,
    SuggestionInput,
    SuggestionRefused,
    bucket_start,
)


class _Asked(NamedTuple):
    """Where and what for somebody asks, and the start of their clock bucket (ms)."""

    channel: str | None
    intent: str | None
    is_staff: bool
    at: int


class _Ground(NamedTuple):
    """What the choice rests on, in either mode; `own` is None in general mode."""

    known: Known
    shares: Shares
    contexts: tuple[Context, ...]
    needs: tuple[NeedFound, ...] = ()
    own: reasons.Known | None = None

    @property
    def mode(self) -> Mode:
        """Whether anything personal was looked at."""
        return "general" if self.own is None else "personal"


def suggest(
    person: SuggestionInput,
    *,
    artifact: Artifact,
    catalogue: Catalogue,
    channel: str | None,
    k: int,
    now: int,
    key: bytes,
    intent: str | None = None,
) -> Answer:
    """At most `k` suggestions, never none, at `now` (ms).

    `channel` None stands for no channel in particular; `intent` is the word a channel gives for what the person wants
    of the present contact. `key` (16 to 64 secret bytes) makes decision ids unguessable. SuggestionRefused where k is
    out of range. Same inputs, same answer until `valid_until`.
    """
    if not 1 <= k <= K_MAX:
        raise SuggestionRefused(f"k lies between 1 and {K_MAX}")
    at = bucket_start(now)
    shelf = shelf_of(artifact, catalogue)
    is_staff = channel is None or channel in catalogue.staff_channels
    asked = _Asked(channel, intent, is_staff, at)
    ground = _ground(person, asked, shelf)
    no = refused(shelf, ground.known)
    found = ranked(shelf, ground.shares.values, contexts=ground.contexts, needs=ground.needs)
    best = _best(no, found.scores, shelf=shelf, k=k)
    valid_until = at + BUCKET_MS
    inputs = (person.ref, channel, intent, k, artifact.name, catalogue.hash, person.hash, valid_until)
    return Answer(
        decision=_decision_id(key, ground.mode, *inputs),
        mode=ground.mode,
        channel=channel,
        intent=intent,
        k=k,
        suggestions=tuple(_suggestion(place, found=found, ground=ground, shelf=shelf) for place in best),
        withheld=withheld(shelf, no),
        beyond=len(shelf.services) - len(no) - len(best),
        grounds=() if person.personal is None else person.personal.grounds,
        contexts=tuple(context.id for context in ground.contexts),
        needs=tuple(reason for each in ground.needs if (reason := need_reason(each)).sayable or is_staff),
        ranker="popularity" if person.personal is None else artifact.manifest.ranker,
        model=artifact.name,
        catalogue=catalogue.hash,
        valid_until=valid_until,
    )


def _ground(person: SuggestionInput, asked: _Asked, shelf: Shelf) -> _Ground:
    facts, catalogue, at = person.personal, shelf.catalogue, asked.at
    known = Known(channel=asked.channel, is_staff=asked.is_staff, at=at, restraints=person.restraints)
    if facts is None:
        return _Ground(known, popularity_shares(shelf), contexts_of(catalogue, intent=asked.intent))
    taken = standing_takings(facts.service, catalogue)
    held = latest(taken)
    # A service that tells of children or health still rules itself out, but speaks for nothing while that is closed.
    own = spoken(taken, facts, catalogue)
    own_held = {service: held[service] for service in own}
    needs = tuple(needs_found(facts, catalogue=catalogue, held=own_held, at=at))
    shares = personal_shares(shelf, facts, own=own, at=at)
    return _Ground(
        known=_with_personal(known, facts, held=held, needs=needs, catalogue=catalogue),
        shares=shares,
        contexts=contexts_of(catalogue, intent=asked.intent, topics=topics_now(facts.service, at=at)),
        needs=needs,
        own=reasons.Known(own, own_held, shares.features, shelf.tellings, shelf.artifact),
    )


def _with_personal(
    known: Known,
    facts: PersonalFacts,
    *,
    held: Mapping[str, Taking],
    needs: tuple[NeedFound, ...],
    catalogue: Catalogue,
) -> Known:
    told = tuple(told_to(facts.service))
    since = known.at - catalogue.cap.window_ms
    return known._replace(
        purposes=facts.purposes,
        held=held,
        needed={service for found in needs for service in found.need.suggests},
        region=facts.region,
        has_heard_enough=offers_heard(told, helps=catalogue.helping, since=since) >= catalogue.cap.at_most,
        enough_of=heard_enough_of(told, catalogue.caps, at=known.at),
    )


def _best(no: Refused, scores: Numbers, *, shelf: Shelf, k: int) -> list[int]:
    """The places of the first k: fallbacks last, mandatory services first, then by score; the id breaks a tie."""
    # One number says both; those behind the last service, which fill up the blocks, are infinite.
    keys = shelf.ahead.copy()
    keys[: len(scores)] -= scores
    keys[list(no)] = np.inf
    # So many blocks have their least at or below the bound, so at least as many services lie there, ties included.
    leasts = np.minimum.reduce(keys.reshape(BLOCK, -1))
    bound = np.partition(leasts, k - 1)[k - 1] if k <= len(leasts) else np.inf
    places = (keys[: len(scores)] <= bound).nonzero()[0].tolist()
    order = sorted(
        (shelf.rank[place], -scores.item(place), shelf.alphabetical[place], place)
        for place in places
        if place not in no
    )
    return [place for *_, place in order[:k]]


def _suggestion(place: int, *, found: Ranked, ground: _Ground, shelf: Shelf) -> Suggestion:
    service = shelf.services[place]
    speaking = ground.shares.speaking_for(place, shelf.artifact)
    own = iter(()) if ground.own is None else reasons_for(service, speaking, needs=ground.needs, known=ground.own)
    first = next(own, None)
    ours = () if first is None else chain((first,), own)
    told = tuple(islice((reason for reason in ours if reason.sayable or ground.known.is_staff), REASONS_MAX))
    return Suggestion(
        service=service.id,
        name=shelf.names[place],
        say=shelf.say[place],
        score=Score(found.scores.item(place)),
        factors=factors_of(place, found, service=service, catalogue=shelf.catalogue),
        confidence=_confidence(first),
        reasons=told or (shelf.general[place],),
    )


def _confidence(first: Reason | None) -> Confidence:
    if first is None:
        return "low"
    return "high" if first.code.startswith("need:") else "medium"


def _decision_id(key: bytes, mode: Mode, *parts: str | int | None) -> str:
    prefix = GENERAL_DECISION if mode == "general" else "p"
    return prefix + hashlib.blake2b(msgspec.json.encode(parts), key=key, digest_size=16).hexdigest()
