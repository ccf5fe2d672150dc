"""Notices: every version stays as it was shown, and only a material change ends what was agreed to before."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from consent.notices import DEFAULT_NOTICES, Notices
from consent.purposes import PROFILE, PURPOSES, SUGGEST, TRAIN
from consent.versioned_data import FILE_BYTES_MAX, DataInvalid
from events.shape import parse_time

JUNE, JULY, AUGUST = "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z", "2026-08-01T00:00:00Z"
LATE = parse_time("2026-09-01T00:00:00Z")


def shipped() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(DEFAULT_NOTICES.read_bytes())
    return content


def with_version(
    notice_id: str, change: str, *, valid_from: str = JULY, known_from: str = JUNE, **said: Any
) -> dict[str, Any]:
    """The shipped notices and one more version of one of them."""
    content = shipped()
    row = [notice for notice in content["notices"] if notice["id"] == notice_id]
    times = {"valid_from": valid_from, "known_from": known_from}
    content["notices"].append({**deepcopy(row[-1]), "version": len(row) + 1, "change": change, **times, **said})
    return content


def ended(notices: Notices, ref: str, *, purpose: str = PROFILE, at: int = LATE, known_at: int = LATE) -> str | None:
    change = notices.superseding(purpose, ref, at=at, known_at=known_at)
    return None if change is None else change.ref


def test_everyone_is_told_about_every_purpose_in_both_languages() -> None:
    notices = Notices.load()
    for purpose in PURPOSES:
        notice = notices.current(purpose, at=LATE, known_at=LATE)
        assert notice is not None, purpose
        assert notice.wording("en").body != notice.wording("zh").body
        assert any("\u4e00" <= letter <= "\u9fff" for letter in notice.wording("zh").title)


def test_a_version_is_found_by_its_id_and_number_and_by_what_an_act_calls_it() -> None:
    notices = Notices.load()
    found = notices.find("profile", 1)
    assert found is not None
    assert found is notices.by_ref("profile/1") is notices.by_ref(found.ref)
    assert notices.find("profile", 2) is None
    assert notices.by_ref("privacy-2026-01") is None


def test_the_hash_changes_with_anything_a_version_says() -> None:
    content = shipped()
    before = Notices.of(content).find("profile", 1)
    assert before is not None
    assert len(before.hash) == 64
    changes: list[dict[str, Any]] = [
        {"valid_from": JULY},
        {"known_from": JULY},
        {"purposes": [PROFILE, TRAIN]},
        {"texts": {**content["notices"][1]["texts"], "zh": {"title": "x", "body": "y"}}},
    ]
    for change in changes:
        changed = deepcopy(content)
        changed["notices"][1] |= change
        after = Notices.of(changed).find("profile", 1)
        assert after is not None
        assert after.hash != before.hash, change
    assert Notices.of(shipped()).find("profile", 1) == before


def test_the_newest_version_in_force_is_shown_and_one_that_is_not_known_yet_is_not() -> None:
    notices = Notices.of(with_version("profile", "editorial", valid_from=JULY, known_from=AUGUST))
    before, after = parse_time(JUNE), parse_time(AUGUST)

    def shown(at: int, known_at: int) -> int:
        found = notices.current(PROFILE, at=at, known_at=known_at)
        assert found is not None
        return found.version

    assert (shown(before, LATE), shown(after, after), shown(after, before), shown(after, after - 1)) == (1, 2, 1, 1)


def test_a_material_change_ends_what_was_agreed_to_before_once_it_is_in_force() -> None:
    notices = Notices.of(with_version("profile", "material"))
    july = parse_time(JULY)
    assert ended(notices, "profile/1") == "profile/2"
    assert ended(notices, "profile/2") is None
    assert ended(notices, "profile/1", at=july) == "profile/2"
    assert ended(notices, "profile/1", at=july - 1) is None
    assert ended(notices, "profile/1", known_at=parse_time(JUNE) - 1) is None


def test_an_editorial_change_ends_nothing() -> None:
    notices = Notices.of(with_version("profile", "editorial"))
    assert [ended(notices, ref) for ref in ("profile/1", "profile/2", "")] == [None, None, None]


def test_a_material_change_ends_agreements_to_the_purposes_it_covers_alone() -> None:
    notices = Notices.of(with_version("profile", "material"))
    assert ended(notices, "suggestions/1", purpose=SUGGEST) is None
    assert ended(notices, "", purpose=SUGGEST) is None


@pytest.mark.parametrize("ref", ["", "privacy-2026-01", "profile/9", "training/1"])
def test_whoever_agreed_to_no_known_notice_of_the_purpose_is_asked_again_after_any_material_change(ref: str) -> None:
    assert ended(Notices.load(), ref) is None
    assert ended(Notices.of(with_version("profile", "material")), ref) == "profile/2"


def test_an_agreement_to_another_notice_of_the_same_purpose_is_untouched() -> None:
    content = with_version("profile", "material")
    other = {**deepcopy(content["notices"][1]), "id": "membership"}
    notices = Notices.of({"notices": [*content["notices"], other]})
    assert ended(notices, "membership/1") is None
    assert ended(notices, "profile/1") == "profile/2"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (with_version("profile", "material", purposes=["profile.sell"]), "there is no purpose profile.sell"),
        (with_version("profile", "material", purposes=[PROFILE, PROFILE]), "names a purpose twice"),
        (with_version("profile", "material", version=3), "have to be 1, 2, 3"),
        (with_version("profile", "material", version=1), "have to be 1, 2, 3"),
        (with_version("profile", "first"), "no other, is the first"),
        (
            with_version("profile", "material", valid_from="1970-01-01T00:00:00Z"),
            "has to apply, and be published, after",
        ),
        (
            with_version("profile", "material", known_from="1970-01-01T00:00:00Z"),
            "has to apply, and be published, after",
        ),
        (with_version("profile", "editorial", purposes=[PROFILE, TRAIN]), "other purposes are a material change"),
        ({"notices": shipped()["notices"][1:]}, "nobody is told about legal.records, service.fulfil"),
        (with_version("profile", "grave"), "notices.9.change"),
        (with_version("profile", "material", valid_from="tomorrow"), "RFC 3339"),
        (with_version("profile", "material", texts={"en": {"title": "a", "body": "b"}}), "texts.zh"),
        (with_version("profile", "material", body="x"), "Extra inputs"),
        ({"notices": []}, "notices"),
        ([], "valid dictionary"),
    ],
)
def test_notices_that_contradict_themselves_are_refused_with_the_place(content: Any, complaint: str) -> None:
    with pytest.raises(DataInvalid, match=complaint):
        Notices.of(content)


def test_a_file_that_is_missing_too_large_or_no_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataInvalid, match=r"absent\.yaml"):
        Notices.load(tmp_path / "absent.yaml")
    with pytest.raises(DataInvalid, match="more than"):
        Notices.parse(b"x" * (FILE_BYTES_MAX + 1))
    for raw in (b"{", b"\xff\xfe\xfd", b"[" * 100_000):
        with pytest.raises(DataInvalid):
            Notices.parse(raw)
