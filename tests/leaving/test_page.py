"""The pages themselves: they stand alone, can be read by everybody, and say everything in both languages."""

import base64
import hashlib
import re
from itertools import pairwise
from string import Formatter
from typing import Any

import pytest

from api.preference_page import HEADERS, STYLE, WORDS, Choice, leave_page, left_page, preferences_page, problem_page
from api.preferences import CHOICES
from consent.door import RefusalReason, Refused
from consent.notices import Language, Notices
from tests.builders import NOW
from tests.leaving.browser import read

NOTICES = Notices.load()
CLOSED = Refused(RefusalReason.NEVER_ASKED, "nobody agreed")


def all_choices() -> list[Choice]:
    found = [(purpose, NOTICES.current(purpose, at=NOW, known_at=NOW)) for purpose in CHOICES]
    return [Choice(purpose, notice, CLOSED) for purpose, notice in found if notice is not None]


def pages(language: Language) -> list[str]:
    return [
        preferences_page(all_choices(), language=language, is_saved=True),
        leave_page("outreach.email", language=language),
        left_page("outreach.email", language=language),
        *(problem_page(kind, language=language) for kind in ("unknown", "expired", "failed")),
    ]


def shape(words: Any) -> Any:
    """The names of a language, and the places its texts have to be filled in."""
    if isinstance(words, dict):
        return {name: shape(word) for name, word in words.items()}
    return sorted(name for _, name, _, _ in Formatter().parse(words) if name)


def test_both_languages_say_the_same_things() -> None:
    assert shape(WORDS["en"]) == shape(WORDS["zh"])


def test_every_purpose_one_can_leave_has_a_name_in_both_languages() -> None:
    for language in ("en", "zh"):
        assert set(WORDS[language]["purposes"]) == set(CHOICES)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_loads_nothing_and_runs_nothing(language: Language) -> None:
    for text in pages(language):
        page = read(text)
        assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "link", "iframe", "object", "font", "video"})
        for _, attributes in page.tags:
            assert not any(name.startswith("on") or name in {"src", "style"} for name in attributes)
            for name in ("href", "action"):
                assert attributes.get(name, "?").startswith(("?", "#"))
        assert "http" not in text
        assert "@import" not in text
        assert "url(" not in text


def test_the_policy_allows_the_style_of_the_page_and_nothing_else() -> None:
    policy = dict(part.split(" ", 1) for part in HEADERS["Content-Security-Policy"].split("; "))
    [style] = re.findall(r"<style>(.*?)</style>", left_page("outreach.sms", language="en"), re.DOTALL)

    assert policy["style-src"] == f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
    assert (policy["default-src"], policy["form-action"]) == ("'none'", "'self'")
    assert (policy["base-uri"], policy["frame-ancestors"]) == ("'none'", "'none'")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_a_reader_hears_is_complete(language: Language) -> None:
    for text in pages(language):
        page = read(text)
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        named = " ".join(
            attributes.get(name, "") for _, attributes in page.tags for name in ("aria-labelledby", "aria-describedby")
        )
        assert page.language == language
        assert len(ids) == len(set(ids))
        assert set(named.split()) <= set(ids)
        assert all(button.words.strip() for button in page.buttons)
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        assert {"main", "header", "title"} <= {tag for tag, _ in page.tags}


def test_yes_and_no_look_the_same() -> None:
    page = read(preferences_page(all_choices(), language="en", is_saved=False))
    buttons = [attributes for tag, attributes in page.tags if tag == "button"]

    assert not any("class" in attributes or "style" in attributes for attributes in buttons)
    assert not re.search(r"button\[|button\.|button:nth|button:first|button:last", STYLE)


def luminance(color: str) -> float:
    """Relative luminance of #rrggbb, by WCAG 2."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize(
    ("ink", "paper", "least"),
    [
        ("ink", "paper", 7),
        ("quiet", "paper", 4.5),
        ("link", "paper", 4.5),
        ("on-button", "button", 4.5),
        ("line", "paper", 3),
        ("button", "paper", 3),
    ],
)
def test_everything_stands_out_enough(scheme: int, ink: str, paper: str, least: float) -> None:
    schemes = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", line)) for line in STYLE.splitlines() if "--ink:" in line
    ]
    colors = schemes[scheme]

    assert contrast(colors[ink], colors[paper]) >= least


def test_whatever_closes_a_purpose_is_said() -> None:
    for reason in RefusalReason:
        choice = all_choices()[0]._replace(answer=Refused(reason, "because"))
        assert "It is off" in (text := read(preferences_page([choice], language="en", is_saved=False)).text) or (
            "You said no" in text
        )


def test_words_of_a_notice_cannot_become_markup() -> None:
    [notice, *_] = NOTICES.versions
    evil = notice.model_copy(
        update={
            "texts": notice.texts.model_copy(
                update={"en": notice.texts.en.model_copy(update={"title": "<script>x</script>", "body": '"><b>$id'})}
            )
        }
    )

    text = preferences_page([Choice("profile.build", evil, CLOSED)], language="en", is_saved=False)

    assert "<script>" not in text
    assert "&quot;&gt;&lt;b&gt;$id" in text
