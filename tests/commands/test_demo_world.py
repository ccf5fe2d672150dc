"""The demo world as a pure function: the same people under a seed, and nothing in it that admission refuses."""

from collections import Counter

from commands.demo_world import World, world
from commands.demo_world_crowd import latent
from consent.purposes import PURPOSES
from events.admission import EventRefused
from events.shape import parse_time
from recommender.catalogue import load_catalogue
from tests.builders import ADMISSION, DAY, NOW, PSEUDONYMS, TRUSTED, raw

SEED = 7
MADE = world(seed=SEED, now=NOW)


def moved(made: World, *, by: int) -> list[tuple[str, int]]:
    return [(str(event["id"]), parse_time(str(event["time"])) + by) for event in made.events]


def test_the_same_seed_is_the_same_world() -> None:
    assert world(seed=SEED, now=NOW) == MADE
    assert world(seed=SEED + 1, now=NOW).people != MADE.people


def test_the_world_moves_along_with_the_moment() -> None:
    later = world(seed=SEED, now=NOW + DAY)

    assert later.people == MADE.people
    assert moved(later, by=-DAY) == moved(MADE, by=0)


def test_every_event_is_admitted() -> None:
    answers = [ADMISSION.admit(raw(event), door=TRUSTED, received_at=NOW) for event in MADE.events]

    assert [answer for answer in answers if isinstance(answer, EventRefused)] == []


def test_events_have_ids_of_their_own_and_stand_in_the_order_of_their_time() -> None:
    times = [parse_time(str(event["time"])) for event in MADE.events]

    assert len({event["id"] for event in MADE.events}) == len(MADE.events)
    assert times == sorted(times)
    assert times[-1] <= NOW


def test_an_identity_stays_within_the_window_of_known_events() -> None:
    assert max(Counter(str(event["subject"]) for event in MADE.events).values()) < 1024


def test_consents_stand_in_the_shares_that_are_said() -> None:
    crowd = [person for person in MADE.people if person.story is None]
    shares = {grade: count / len(crowd) for grade, count in Counter(person.consent for person in crowd).items()}

    assert len(crowd) == 400
    assert abs(shares["whole"] - 0.70) < 0.06
    assert abs(shares["part"] - 0.15) < 0.05
    assert abs(shares["none"] - 0.15) < 0.06


def test_nothing_is_said_about_a_purpose_that_does_not_exist() -> None:
    acts = [event["data"] for event in MADE.events if str(event["type"]).startswith("consent.")]

    assert {act["purpose"] for act in acts} <= PURPOSES.keys()
    assert {act["evidence"] for act in acts} == {"demo"}


def test_people_want_services_that_there_are_and_took_only_what_they_want() -> None:
    services = load_catalogue().by_id.keys()

    assert {service for person in MADE.people for service in (*person.wants, *person.took)} <= services
    assert all(set(person.took) <= set(person.wants) for person in MADE.people if person.story is None)
    assert len(latent(MADE.people)) > 150


def test_each_story_that_has_people_has_them_under_names_of_their_own() -> None:
    identities = [PSEUDONYMS.of(identity) for person in MADE.people for identity in person.identities]

    assert len(set(identities)) == len(identities)
    assert {person.story for person in MADE.cast} == {1, 2, 3, 4, 5, 6, 7, 8, 9}
    assert all(person.about for person in MADE.cast)
