"""Consent has one door. What others may touch of the state behind it stands here, with the reason."""

import ast

import pytest

from tests.house.tree import Source, product, suite

SAY_INSTEAD = (
    "ask the door: `view.permits(purpose, at=, known_at=)` of a person read, or `consent.door.permits` with a subject. "
    "It knows holds, other identities, overlays, expiry and needs, which a look at the state does not:\n"
)

MAKES_SUBJECTS = {"consent/door.py", "profiles/view.py", "profiles/person.py", "benchmarks/door.py"}

READS_THE_STATE = {
    "profiles/fold.py": "folds acts into it and asks `opens`",
    "profiles/view.py": "hands it to the door as a part of the subject",
    "profiles/permitted.py": "asks `opens` for the position of each fact",
}

IMPORTS_THE_STATE = {
    "benchmarks/door.py": {"Cause", "Form", "Grant", "NEVER_ASKED", "No", "with_grant", "with_no"},
    "profiles/facet.py": {"PurposeState"},
    "profiles/fold.py": {"NEVER_ASKED", "opens", "with_act"},
    "profiles/permitted.py": {"opens"},
}

SUBJECT = {"parts", "overlays", "readable", "jurisdiction"}
STATE = {"consents", "grants", "no_received_at", "states"}


def _read(text: str) -> Source:
    return Source("recommender/somewhere.py", text, ast.parse(text))


def _names_used(source: Source) -> list[tuple[int, str]]:
    loads = [node for node in source.nodes if isinstance(node, ast.Name | ast.Attribute | ast.alias)]
    return [
        (
            node.lineno,
            node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else node.name,
        )
        for node in loads
    ]


def subjects_made(source: Source) -> list[str]:
    """Where a subject is made, or the seal for one is taken."""
    if source.name in MAKES_SUBJECTS:
        return []
    calls = [node for node in source.nodes if isinstance(node, ast.Call)]
    made = [call.lineno for call in calls if _called(call) == "Subject" or _changes_a_subject(call)]
    named = [line for line, name in _names_used(source) if name in {"subject_of", "_SEAL"}]
    return [f"{source.name}:{line}" for line in [*made, *named]]


def _called(call: ast.Call) -> str:
    asked = call.func
    return asked.attr if isinstance(asked, ast.Attribute) else getattr(asked, "id", "")


def _changes_a_subject(call: ast.Call) -> bool:
    return _called(call) == "replace" and bool({keyword.arg for keyword in call.keywords} & SUBJECT)


def state_reads(source: Source) -> list[str]:
    """Where the state of consent is looked at, by attribute or by import."""
    if source.room == "consent":
        return []
    lines: list[int] = []
    if source.name not in READS_THE_STATE:
        lines += _attributes_of_the_state(source)
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "consent.state":
            allowed = IMPORTS_THE_STATE.get(source.name, set())
            lines.extend(node.lineno for alias in node.names if alias.name not in allowed)
        if isinstance(node, ast.ImportFrom) and node.module == "consent.door":
            lines.extend(node.lineno for alias in node.names if alias.name == "combined")
        if isinstance(node, ast.Import) and any(alias.name.startswith("consent.") for alias in node.names):
            lines.append(node.lineno)
    return [f"{source.name}:{line}" for line in lines]


def _attributes_of_the_state(source: Source) -> list[int]:
    """Records have no methods of these names, so what is called is something else: a client that asks over HTTP."""
    calls = [node for node in source.nodes if isinstance(node, ast.Call)]
    called = {id(call.func) for call in calls}
    by_name = [
        call.lineno
        for call in calls
        if _called(call) in {"getattr", "attrgetter"}
        and any(isinstance(word, ast.Constant) and word.value in STATE for word in call.args)
    ]
    return by_name + [
        node.lineno
        for node in source.nodes
        if isinstance(node, ast.Attribute) and node.attr in STATE and id(node) not in called
    ]


def answers_lost(source: Source) -> list[str]:
    """Where an answer of the door is thrown away, or compared with None, which it never is."""
    lines = [
        node.lineno
        for node in source.nodes
        if (isinstance(node, ast.Expr) and _asks(node.value))
        or (isinstance(node, ast.Compare) and any(_asks(side) for side in [node.left, *node.comparators]))
    ]
    return [f"{source.name}:{line}" for line in lines]


def _asks(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _called(node) == "permits"


def test_only_the_person_read_makes_subjects() -> None:
    found = [line for source in product() for line in subjects_made(source)]
    assert not found, "Read the person with profiles.person.PersonReader and use view.subject:\n" + "\n".join(found)


def test_nobody_looks_past_the_door() -> None:
    found = [line for source in product() for line in state_reads(source)]
    assert not found, "Instead of reading what was agreed to, " + SAY_INSTEAD + "\n".join(found)


def test_nobody_loses_an_answer_of_the_door() -> None:
    found = [line for source in product() + suite() for line in answers_lost(source)]
    assert not found, "Write `if permits(...):` or keep the answer for its reason:\n" + "\n".join(found)


def test_who_may_look_still_needs_to() -> None:
    present = {source.name: source for source in product()}
    idle = [name for name in READS_THE_STATE if not _attributes_of_the_state(present[name])]
    assert not idle, f"Take them off READS_THE_STATE: {idle}"


@pytest.mark.parametrize(
    "text",
    [
        "from consent.door import subject_of",
        "subject = door.subject_of(parts=())",
        "Subject(parts=())",
        "from consent.door import _SEAL",
        "replace(subject, overlays=frozenset())",
    ],
)
def test_a_subject_made_elsewhere_is_seen(text: str) -> None:
    assert subjects_made(_read(text))


@pytest.mark.parametrize(
    "text",
    [
        "if facet.consents.get('profile.build'): ...",
        "facet.consents['profile.build']",
        "joined(facet.consents.values())",
        "getattr(facet, 'consents')",
        "latest = state.grants[0]",
        "from consent.state import standing_grant",
        "from consent.door import combined",
        "import consent.state as state",
        "subject.parts[0].states",
    ],
)
def test_a_look_past_the_door_is_seen(text: str) -> None:
    assert state_reads(_read(text))


@pytest.mark.parametrize("text", ["client.consents(ref)['profile.build']", "diary.consents(who, purposes, ago=1)"])
def test_asking_the_service_itself_is_no_look_past_the_door(text: str) -> None:
    assert not state_reads(_read(text))


@pytest.mark.parametrize(
    "text", ["permits(subject, p, at=1, known_at=1)", "if view.permits(p, at=1, known_at=1) is not None: ..."]
)
def test_a_lost_answer_is_seen(text: str) -> None:
    assert answers_lost(_read(text))
