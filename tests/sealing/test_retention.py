"""Facts age out by the destruction of their keys, by terms that are data."""

from pathlib import Path

import pytest

from commands.fact_keys import aged_out
from commands.sealing import sealing_of
from commands.settings import make_keyring, settings_of
from consent.retention import kind_of, later, load_retention
from consent.versioned_data import DataInvalid
from events.body_keys import EVIDENCE, BodyGone, end_of, period_of
from events.shape import format_time, parse_time
from events.vocabulary import BODIES
from tests.builders import NOW, consent, purchased

SERVICE = "service.fulfil"


@pytest.mark.parametrize(
    ("at", "period", "end"),
    [
        ("2026-01-01T00:00:00Z", "2026-1", "2026-04-01T00:00:00.000Z"),
        ("2026-03-31T23:59:59Z", "2026-1", "2026-04-01T00:00:00.000Z"),
        ("2026-04-01T00:00:00Z", "2026-2", "2026-07-01T00:00:00.000Z"),
        ("2026-12-31T23:59:59Z", "2026-4", "2027-01-01T00:00:00.000Z"),
    ],
)
def test_a_period_is_a_quarter_of_receipt(at: str, period: str, end: str) -> None:
    assert period_of(parse_time(at)) == period
    assert format_time(end_of(period)) == end


@pytest.mark.parametrize(
    ("at", "months", "then"),
    [
        ("2026-04-01T00:00:00Z", 36, "2029-04-01T00:00:00.000Z"),
        ("2026-01-31T12:00:00Z", 1, "2026-03-01T12:00:00.000Z"),
        ("2024-02-29T00:00:00Z", 12, "2025-03-01T00:00:00.000Z"),
        ("2026-12-15T00:00:00Z", 1, "2027-01-15T00:00:00.000Z"),
    ],
)
def test_a_term_ends_on_the_same_day_or_the_one_after_it(at: str, months: int, then: str) -> None:
    assert format_time(later(parse_time(at), months=months)) == then


def test_a_quarter_is_due_when_its_last_fact_has_been_kept_long_enough_and_not_before() -> None:
    retention, tally = load_retention(), {(SERVICE, "2026-1"): 3, (EVIDENCE, "2026-1"): 1, (SERVICE, "2026-2"): 2}
    ends = parse_time("2029-04-01T00:00:00Z")

    assert retention.due(tally.items(), now=ends - 1) == []
    assert [(each.kind, each.period, each.keys) for each in retention.due(tally.items(), now=ends)] == [
        (EVIDENCE, "2026-1", 1),
        (SERVICE, "2026-1", 3),
    ]


def test_a_purpose_of_an_earlier_version_is_kept_for_the_longest_term() -> None:
    retention = load_retention()
    longest = max(term.months for term in retention.purposes.values())
    due = later(end_of("2026-1"), months=longest)
    assert retention.due([(("forgotten", "2026-1"), 1)], now=due - 1) == []
    assert len(retention.due([(("forgotten", "2026-1"), 1)], now=due)) == 1


def test_every_fact_but_a_tombstone_is_sealed_under_a_purpose_with_a_term() -> None:
    kinds = {name: kind_of(name) for name in BODIES}
    assert [name for name, kind in kinds.items() if kind is None] == ["rights.erased"]
    assert set(filter(None, kinds.values())) == load_retention().purposes.keys()
    proofs = {name for name, kind in kinds.items() if kind == EVIDENCE}
    assert proofs == {name for name in BODIES if name.startswith("consent.")} | {"identity.linked", "identity.unlinked"}


def test_facts_are_due_in_the_ledger_when_their_keys_are() -> None:
    retention = load_retention()
    for days in range(0, 400, 7):
        now = parse_time("2029-03-31T23:59:59Z") + days * 86_400_000
        before = retention.facts_before("consent.given", now=now)
        assert before is not None
        assert len(retention.due([((EVIDENCE, period_of(before - 1)), 1)], now=now)) == 1
        assert retention.due([((EVIDENCE, period_of(before)), 1)], now=now) == []
    assert retention.facts_before("rights.erased", now=NOW) is None


def test_looks_are_kept_as_long_as_what_proves_consent_unless_something_else_is_said(tmp_path: Path) -> None:
    said = Path("consent/retention.yaml").read_text()
    short = said.replace("accesses:\n  months: 36", "accesses:\n  months: 6")
    silent = said[: said.index("accesses:")] + said[said.index("after_erasure:") :]
    now = parse_time("2029-05-05T00:00:00Z")
    for text, before in ((said, "2026-04-01"), (short, "2028-10-01"), (silent, "2026-04-01")):
        (tmp_path / "terms.yaml").write_text(text)
        assert load_retention(tmp_path / "terms.yaml").looks_before(now=now) == parse_time(f"{before}T00:00:00Z")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("purposes: {}\nafter_erasure: {months: 1, because: x}", "no term for legal.records"),
        ("purposes: {service.fulfil: {months: 0, because: x}}\nafter_erasure: {months: 1, because: x}", "months"),
        ("purposes: []", "purposes"),
        ("{", "not YAML"),
    ],
)
def test_terms_that_say_too_little_are_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "terms.yaml").write_text(text)
    with pytest.raises(DataInvalid, match=why):
        load_retention(tmp_path / "terms.yaml")


def test_a_term_for_what_no_fact_is_kept_for_is_refused(tmp_path: Path) -> None:
    shipped = Path("consent/retention.yaml").read_text()
    (tmp_path / "terms.yaml").write_text(shipped.replace("profile.build:", "profile.bild:"))
    with pytest.raises(DataInvalid, match=r"no term for profile\.build"):
        load_retention(tmp_path / "terms.yaml")


def test_what_is_due_is_destroyed_and_the_rest_opens_as_before(tmp_path: Path) -> None:
    settings = settings_of(data=tmp_path)
    keyring = make_keyring(settings)
    fresh_at = NOW + 2 * 365 * 86_400_000
    facts = [purchased("old"), consent("given", "profile.build"), purchased("new", at=fresh_at)]
    values = sealing_of(settings, keyring).seal(facts)
    assert not any(aged_out(settings, now=parse_time("2029-03-31T23:59:59Z")).values())

    assert aged_out(settings, now=parse_time("2029-04-01T00:00:00Z")) == {
        "keys": 2,
        "evidence": 0,
        "looks": 0,
        "openings": 0,
    }

    old, act, new = sealing_of(settings, keyring).look_up(values)
    assert new.fact() == facts[2]
    for each in (old, act):
        with pytest.raises(BodyGone):
            each.fact()
