"""What is mutated: all that decides whether data may be used, and every function in which the door is asked."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Final, NamedTuple

from tests.house.tree import ROOT, product
from tests.mutants.mutations import Mutation, asks_the_door, mutations

WHOLE: Final = (
    "consent/door.py",
    "consent/holds.py",
    "consent/matrix.py",
    "consent/purposes.py",
    "consent/recording.py",
    "consent/rules.py",
    "consent/state.py",
    "consent/status.py",
)
"""Modules in which everything is a gate."""

BESIDE: Final[Mapping[str, frozenset[str]]] = {
    "consent/accesses.py": frozenset({"declared"}),
    "consent/retention.py": frozenset({"kind_of", "Retention.due"}),
    "events/sealing.py": frozenset(
        {
            *("Sealing.seal", "Sealing._at_hand", "Sealing._name", "Sealing._stand", "Sealing._opening"),
            *(
                "Sealing._opened",
                "Sealing._unknown",
                "_Memory.held",
                "_Memory.keep",
                "_missing",
                "_enveloped",
                "_encoded",
            ),
        }
    ),
    "profiles/view.py": frozenset({"view_of", "_part", "_flags", "_stands", "_jurisdiction", "_law_of", "_deny_only"}),
    "profiles/permitted.py": frozenset(
        {"permit_at", "_redacted", "_is_usable", "views_of", "_is_known", "_is_erased", "_groups"}
    ),
    "profiles/fold.py": frozenset({"_without_purpose"}),
    "profiles/at_time.py": frozenset({"person_at", "members_at", "_linked", "is_known", "_folded"}),
    "recommender/reading.py": frozenset({"input_of", "restraints_of"}),
    "recommender/personal.py": frozenset(
        {"PersonalFacts.__post_init__", "PersonalFacts.has_sensitive", "_without_sensitive_lines", "_redacted"}
    ),
    "recommender/features.py": frozenset({"person_features", "spoken", "_declined"}),
    "recommender/served.py": frozenset({"person_row", "_checked"}),
    "recommender/training.py": frozenset({"_permitted"}),
    "recommender/training_record.py": frozenset(
        {"Bounded.__call__", "is_within", "Left.__bool__", "left_since", "signed", "is_signed", "_fields", "_text"}
    ),
    "recommender/needs.py": frozenset({"needs_found"}),
    "recommender/shelf.py": frozenset({"_modelled"}),
    "recommender/funnel.py": frozenset(
        {"refused", "_eligible", "_applicable", "_suitable", "_consented", "_capped"},
    ),
    "recommender/choices.py": frozenset({"without_sensitive", "taken_by", "_suggested_by"}),
    "outreach/guard.py": frozenset({"unreachable", "guard", "_withheld"}),
    "outreach/claiming.py": frozenset({"Claims._against"}),
    "outreach/deciding.py": frozenset({"Decider._closed"}),
    "api/outreach_routes.py": frozenset({"_card"}),
}
"""Module -> what in it is a gate without asking the door itself: it makes the subject, or acts on an answer."""

_OF_THE_DOOR: Final = (
    "tests/consent/test_door.py",
    "tests/consent/test_grounds_of_a_yes.py",
    "tests/consent/test_fail_open.py",
)

_OF_MESSAGES: Final = ("tests/outreach/test_what_a_message_needs.py",)

TESTS: Final[Mapping[str, tuple[str, ...]]] = {
    "consent/door.py": _OF_THE_DOOR,
    "consent/matrix.py": ("tests/consent/test_matrix.py", "tests/consent/test_gate_tables.py", *_OF_THE_DOOR),
    "consent/rules.py": ("tests/consent/test_gate_tables.py", "tests/consent/test_matrix.py", *_OF_THE_DOOR),
    "consent/status.py": ("tests/consent/test_status.py", *_OF_THE_DOOR),
    "consent/state.py": (
        "tests/consent/test_states.py",
        "tests/consent/test_status.py",
        *_OF_THE_DOOR,
        "tests/profiles/test_fold.py",
    ),
    "consent/purposes.py": ("tests/consent/test_gate_tables.py", "tests/consent/test_purposes.py", *_OF_THE_DOOR),
    "consent/holds.py": ("tests/consent/test_recording.py", "tests/api/test_consents.py"),
    "consent/recording.py": ("tests/consent/test_recording.py", "tests/consent/test_gate_tables.py"),
    "profiles/view.py": ("tests/profiles/test_view.py", "tests/recommender/test_suggest.py"),
    "profiles/permitted.py": ("tests/profiles/test_permitted.py", "tests/recommender/test_training.py"),
    "profiles/fold.py": ("tests/profiles/test_fold.py",),
    "profiles/at_time.py": ("tests/officer/test_at_time.py",),
    "profiles/preview.py": ("tests/profiles/test_view_preview.py",),
    "profiles/renewal.py": ("tests/officer/test_renewal.py",),
    "profiles/traits/table.py": ("tests/profiles/test_traits.py", "tests/api/test_customers.py"),
    "recommender/reading.py": ("tests/recommender/test_suggest.py", "tests/recommender/test_noninterference.py"),
    "recommender/personal.py": (
        "tests/recommender/test_personal.py",
        "tests/recommender/test_suggest.py",
        "tests/recommender/test_noninterference.py",
    ),
    "recommender/funnel.py": (
        "tests/recommender/test_funnel.py",
        "tests/recommender/test_suggest.py",
        "tests/recommender/test_stories.py",
    ),
    "recommender/shelf.py": ("tests/recommender/test_training.py", "tests/recommender/test_suggest.py"),
    "recommender/needs.py": ("tests/recommender/test_needs.py", "tests/recommender/test_stories.py"),
    "recommender/choices.py": ("tests/recommender/test_features.py", "tests/recommender/test_training.py"),
    "recommender/features.py": ("tests/recommender/test_features.py", "tests/recommender/test_noninterference.py"),
    "recommender/served.py": (
        "tests/recommender/test_served.py",
        "tests/recommender/test_model_store.py",
        "tests/recommender/test_suggest.py",
    ),
    "recommender/training.py": ("tests/recommender/test_features.py", "tests/recommender/test_training.py"),
    "recommender/training_record.py": ("tests/recommender/test_training_record.py",),
    "recommender/simulate.py": ("tests/recommender/test_simulate.py",),
    "events/sealing.py": ("tests/sealing/test_what_is_remembered.py", "tests/sealing/test_fates.py"),
    "consent/accesses.py": ("tests/officer/test_accesses.py",),
    "consent/retention.py": ("tests/sealing/test_retention.py",),
    "outreach/deciding.py": (*_OF_MESSAGES, "tests/outreach/test_deciding.py"),
    "outreach/guard.py": ("tests/outreach/test_guard.py", "tests/outreach/test_deciding.py"),
    "outreach/assessment.py": (*_OF_MESSAGES, "tests/outreach/test_deciding.py"),
    "outreach/occasions.py": (
        *_OF_MESSAGES,
        "tests/outreach/test_deciding.py",
        "tests/noninterference/test_messages.py",
    ),
    "outreach/claiming.py": (
        *_OF_MESSAGES,
        "tests/outreach/test_claiming.py",
        "tests/outreach/test_claims_after_linking.py",
    ),
    "api/card.py": ("tests/api/test_card.py", "tests/api/test_customers.py"),
    "api/standing.py": ("tests/api/test_consents.py", "tests/api/test_customers.py"),
    "api/preferences.py": ("tests/leaving/test_page.py", "tests/leaving/test_preferences.py"),
    "api/outreach_routes.py": ("tests/api/test_outreach.py",),
}
"""Module -> the tests that speak of it, the quickest to tell first."""


class Mutant(NamedTuple):
    """A mutation of a module as it was read; `tests` are the files that should tell."""

    module: str
    source: str
    mutation: Mutation
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """Module and change."""
        return f"{self.module} {self.mutation.name}"


@cache
def all_mutants() -> tuple[Mutant, ...]:
    """Every mutant of every gate, as the source is now."""
    return tuple(_all())


def chosen(mutants: Iterable[Mutant], *, seed: int, count: int) -> list[Mutant]:
    """So many of them by chance; while the source changes elsewhere, the choice stays as it is."""

    def place(mutant: Mutant) -> bytes:
        return hashlib.blake2b(f"{seed} {mutant.name}".encode(), digest_size=8).digest()

    return sorted(mutants, key=place)[:count]


def _all() -> Iterator[Mutant]:
    for source in product():
        if source.room == "benchmarks":
            continue
        asking = asks_the_door(source.text)
        gates = asking | BESIDE.get(source.name, frozenset())
        if source.name not in WHOLE and not gates:
            continue

        def is_gate(scope: str, name: str = source.name, gates: frozenset[str] = frozenset(gates)) -> bool:
            return name in WHOLE or scope in gates

        tests = TESTS.get(source.name) or _tests_of(source.name)
        for mutation in mutations(source.text, scopes=is_gate):
            yield Mutant(source.name, source.text, mutation, tests)


def _tests_of(module: str) -> tuple[str, ...]:
    """Of a module that stands in no row: the tests named after it, else all of its room."""
    room, _, rest = module.partition("/")
    named = f"tests/{room}/test_{rest.rpartition('/')[2]}"
    return (named if (ROOT / named).exists() else f"tests/{room}",)
