"""The many people of the demo world: segments with the services they would take, and what they did so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from commands.demo_world_diary import DAY, HOUR, PART, WHOLE, Bought, Diary

LONG_AGO: Final = 540
"""Days the demo world looks back."""
STRAY: Final = 0.03
"""How likely somebody wants a service that is none of their segment's."""
WANTED: Final = 0.85
TAKEN: Final = 0.65


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """People alike: what they buy and ask about, how they are described, and which services they would take."""

    share: int
    wants: tuple[str, ...]
    basket: tuple[Bought, ...]
    topics: tuple[str, ...]
    attributes: Mapping[str, str]
    channel: str


SEGMENTS: Final[Mapping[str, Segment]] = {
    "young family": Segment(
        share=90,
        wants=("diapers", "delivery-flat-rate", "recipe-box"),
        basket=(Bought("baby-formula", "baby", 1899), Bought("carrots", "vegetables", 249)),
        topics=("delivery",),
        attributes={"household": "family", "children": "yes"},
        channel="app",
    ),
    "saver": Segment(
        share=80,
        wants=("savings-plan", "home-insurance"),
        basket=(Bought("rice-5kg", "staples", 899),),
        topics=("interest", "account"),
        attributes={"housing": "owner"},
        channel="branch",
    ),
    "commuter": Segment(
        share=70,
        wants=("travel-insurance", "delivery-flat-rate"),
        basket=(Bought("coffee-to-go", "coffee", 320), Bought("sandwich", "snacks", 450)),
        topics=("card-abroad",),
        attributes={"commute": "train"},
        channel="app",
    ),
    "gourmet": Segment(
        share=60,
        wants=("wine-club", "recipe-box"),
        basket=(Bought("comte-36", "cheese", 1290), Bought("turbot", "fish", 3400)),
        topics=("opening-hours",),
        attributes={"cooks": "often"},
        channel="store",
    ),
    "industry": Segment(
        share=40,
        wants=("maintenance-contract", "auto-repayment"),
        basket=(Bought("bearing-6204", "spare-parts", 18900),),
        topics=("machine", "invoice"),
        attributes={"role": "buyer"},
        channel="web",
    ),
    "senior": Segment(
        share=60,
        wants=("auto-repayment", "home-insurance"),
        basket=(Bought("tea", "tea", 690), Bought("bread", "bakery", 380)),
        topics=("transfer", "branch-hours"),
        attributes={"prefers": "letters"},
        channel="branch",
    ),
}

PEOPLE: Final = sum(segment.share for segment in SEGMENTS.values())
BRANCHES: Final = ("berlin-mitte", "hamburg-1", "koeln-2")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonTruth:
    """What is true of a demo person, known to the maker of the world alone.

    `wants` are the services they would take, `took` those they have taken. `story` is the number of the story they
    are in, `about` what to try with them.
    """

    identities: tuple[str, ...]
    segment: str
    consent: str
    wants: tuple[str, ...] = ()
    took: tuple[str, ...] = ()
    story: int | None = None
    about: str = ""


def crowd(diary: Diary, rng: Random) -> list[PersonTruth]:
    """Write what the many people did, and answer who they are; the same seed makes the same people."""
    names = [name for name, segment in SEGMENTS.items() for _ in range(segment.share)]
    rng.shuffle(names)
    return [_person(diary, rng, f"app:{number}", name) for number, name in enumerate(names, start=1)]


def _person(diary: Diary, rng: Random, who: str, name: str) -> PersonTruth:
    segment = SEGMENTS[name]
    joined = rng.randrange(LONG_AGO // 2, LONG_AGO) * DAY
    consent = _consents(diary, rng, who, joined)
    if rng.random() < 0.7:
        diary.tell(who, "identity.described", ago=joined - HOUR, attributes=dict(segment.attributes))
    _errands(diary, rng, who, segment, since=joined)
    _voice(diary, rng, who)
    wants = _wants(rng, segment)
    took = [service for service in wants if rng.random() < TAKEN]
    for service in took:
        diary.subscribed(who, service, ago=_moment(rng, 1, 180), channel=segment.channel)
    return PersonTruth(identities=(who,), segment=name, consent=consent, wants=wants, took=tuple(took))


def _consents(diary: Diary, rng: Random, who: str, ago: int) -> str:
    """About 70 of 100 agree to everything, 15 to suggestions only, 15 to nothing: half of those were never asked."""
    chance = rng.random()
    if chance < 0.70:
        diary.consents(who, WHOLE, ago=ago)
        return "whole"
    if chance < 0.85:
        diary.consents(who, PART, ago=ago)
        diary.consents(who, ("model.train",), ago=ago, act="refused")
        return "part"
    if chance < 0.925:
        diary.consents(who, ("profile.build", "suggest.personal", "model.train"), ago=ago, act="refused")
    return "none"


def _wants(rng: Random, segment: Segment) -> tuple[str, ...]:
    own = [service for service in segment.wants if rng.random() < WANTED]
    others = sorted({service for other in SEGMENTS.values() for service in other.wants} - set(segment.wants))
    return (*own, *(service for service in others if rng.random() < STRAY))


def _errands(diary: Diary, rng: Random, who: str, segment: Segment, *, since: int) -> None:
    """Orders and contacts from the first days on, so that something is known before a service is taken."""
    days = since // DAY
    first = [days - 2 - number for number in range(2)]
    for ago in (*first, *(rng.randrange(1, days) for _ in range(rng.randrange(2, 5)))):
        lines = rng.sample(segment.basket, rng.randrange(1, len(segment.basket) + 1))
        late = rng.random() < 0.1
        branch = rng.choice(BRANCHES) if segment.channel in {"store", "branch"} else None
        diary.order(
            who,
            lines,
            ago=ago * DAY + rng.randrange(12) * HOUR,
            channel=segment.channel,
            days=4 if late else 1,
            branch=branch,
        )
    for ago in (days - 3, *(rng.randrange(1, days) for _ in range(rng.randrange(2)))):
        topic = rng.choice(segment.topics)
        diary.contact(who, [topic], ago=ago * DAY + HOUR, channel=_contact_channel(segment), wait_s=rng.randrange(400))


def _contact_channel(segment: Segment) -> str:
    return "branch" if segment.channel == "branch" else "phone"


def _voice(diary: Diary, rng: Random, who: str) -> None:
    """Some are asked for a score, and some complain."""
    if rng.random() < 0.4:
        kind, scores = rng.choice((("nps", (10, 9, 8, 7, 5, 2)), ("csat", (5, 5, 4, 3, 1)), ("ces", (7, 6, 5, 3))))
        score = rng.choice(scores) if rng.random() < 0.6 else None
        diary.survey(who, kind, score, ago=_moment(rng, 3, 150))
    if rng.random() < 0.06:
        filed = _moment(rng, 5, 100)
        topic = rng.choice(("delivery", "fees", "quality"))
        diary.complaint(who, topic, ago=filed, answered=filed - 5 * HOUR, solved=filed - rng.randrange(8, 72) * HOUR)


def _moment(rng: Random, newest: int, oldest: int) -> int:
    """Some moment between so many days ago (ms)."""
    return rng.randrange(newest * 24, oldest * 24) * HOUR


def latent(people: Sequence[PersonTruth]) -> list[PersonTruth]:
    """Those who would still take a service they have not taken: what a good suggestion finds."""
    return [person for person in people if set(person.wants) - set(person.took)]
