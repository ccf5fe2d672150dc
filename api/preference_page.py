"""The pages for people, in English and Chinese: pure functions from what stands to HTML.

They hold everything they need, run no script, and say nothing of who the person is.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Final, NamedTuple

import yaml

from consent.door import Allowed, RefusalReason, Refused
from consent.notices import Language, Notice
from consent.purposes import CHARACTERISTICS

_FOLDER: Final = Path(__file__).with_name("pages")
STYLE: Final = (_FOLDER / "page.css").read_text(encoding="utf-8")
WORDS: Final[Mapping[Language, Mapping[str, Any]]] = yaml.load((_FOLDER / "words.yaml").read_bytes(), yaml.CSafeLoader)
"""Language -> name -> what the pages say there."""

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
"""Nothing is loaded, nothing is told to other sites, and no other site shows a page in its own."""

NO_TO_ALL: Final = "no-to-all"
GENERAL: Final = "general"
"""What a button says that is about no single purpose: no to all of them; nothing personal in suggestions."""

_STANDS: Final[Mapping[str, str]] = {
    "never_asked": "stands_unasked",
    "refused": "stands_no",
    "withdrawn": "stands_no",
    "held": "stands_no",
    "expired": "stands_expired",
    "superseded": "stands_superseded",
    "form": "stands_again",
    "evidence": "stands_again",
    "needs": "stands_needs",
    "conflicting": "stands_conflicting",
}
"""Why the door is closed -> how that is said; anything else is `stands_closed`."""


class Choice(NamedTuple):
    """One purpose with the notice that tells of it, and what the door says now."""

    purpose: str
    notice: Notice
    answer: Allowed | Refused


def language_of(asked: str | None, header: str | None) -> Language:
    """The language that was asked for, else the first one the browser wants, if it is one of ours."""
    wanted = asked or (header or "").split(",")[0].strip()
    return "zh" if wanted.lower().startswith("zh") else "en"


def preferences_page(choices: Sequence[Choice], *, language: Language, is_saved: bool) -> str:
    """Every purpose with its notice, what stands, and a yes and a no that cost the same."""
    words = WORDS[language]
    by_notice: dict[str, list[Choice]] = {}
    for choice in choices:
        by_notice.setdefault(choice.notice.ref, []).append(choice)
    personal = next((choice.answer for choice in choices if choice.purpose == CHARACTERISTICS), None)
    parts = [
        f'<p role="status">{escape(words["saved"])}</p>' if is_saved else "",
        _paragraph(words["intro"]),
        _step("general", GENERAL, words, language, stands=None if personal is None else stands(personal, words)),
        *(_notice(told, language) for told in by_notice.values()),
        _step("all", NO_TO_ALL, words, language),
        f"<section><h2>{escape(words['always_title'])}</h2>{_paragraph(words['always_text'])}</section>",
    ]
    return _page(words["title"], parts, language)


def leave_page(purpose: str, *, language: Language) -> str:
    """Asks whoever followed the link of a message; following it changed nothing."""
    words = WORDS[language]
    text = words["leave_text"].format(name=words["purposes"][purpose])
    button = f'<form method="post" action="?lang={language}"><button>{escape(words["leave_no"])}</button></form>'
    return _page(words["leave_title"], [_paragraph(text), button], language)


def left_page(purpose: str, *, language: Language) -> str:
    """Says that it is done; the same however often it was."""
    words = WORDS[language]
    return _page(
        words["left_title"], [_paragraph(words["left_text"].format(name=words["purposes"][purpose]))], language
    )


def problem_page(kind: str, *, language: Language) -> str:
    """Says that a link does not work (`unknown`), is too old (`expired`), or that it did not work now (`failed`)."""
    words = WORDS[language]
    return _page(words[f"{kind}_title"], [_paragraph(words[f"{kind}_text"])], language)


def stands(answer: Allowed | Refused, words: Mapping[str, Any]) -> str:
    """What stands, in words a person can do something with."""
    if isinstance(answer, Refused):
        return str(words[_STANDS.get(answer.because, "stands_closed")])
    return str(words["stands_yes" if answer.because.basis == "consent" else "stands_on"])


def _notice(choices: Sequence[Choice], language: Language) -> str:
    words, notice = WORDS[language], choices[0].notice
    wording = notice.wording(language)
    return _template("notice").substitute(
        id=escape(f"notice-{notice.id}"),
        title=escape(wording.title),
        body=escape(wording.body),
        source=escape(words["notice"].format(id=notice.id, version=notice.version)),
        choices="\n".join(_choice(choice, words, language) for choice in choices),
    )


def _choice(choice: Choice, words: Mapping[str, Any], language: Language) -> str:
    return _template("choice").substitute(
        id=escape(choice.purpose.replace(".", "-")),
        name=escape(words["purposes"][choice.purpose]),
        stands=escape(stands(choice.answer, words)),
        lang=language,
        purpose=escape(choice.purpose),
        notice=escape(choice.notice.ref),
        no_act="refused" if _was_never_asked(choice.answer) else "withdrawn",
        yes=escape(words["yes"]),
        no=escape(words["no"]),
    )


def _was_never_asked(answer: Allowed | Refused) -> bool:
    return isinstance(answer, Refused) and answer.because is RefusalReason.NEVER_ASKED


def _step(name: str, say: str, words: Mapping[str, Any], language: Language, *, stands: str | None = None) -> str:
    return _template("step").substitute(
        id=name,
        title=escape(words[f"{name}_title"]),
        body=escape(words[f"{name}_text"]),
        stands="" if stands is None else f'<p class="stands">{escape(stands)}</p>',
        lang=language,
        say=say,
        button=escape(words[f"{name}_no"]),
    )


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _page(title: str, parts: Iterable[str], language: Language) -> str:
    other: Language = "en" if language == "zh" else "zh"
    return _template("page").substitute(
        lang=language,
        title=escape(title),
        style=STYLE,
        language_label=escape(WORDS[language]["language_label"]),
        other_lang=other,
        other_language=escape(WORDS[other]["language"]),
        content="\n".join(filter(None, parts)),
    )


@cache
def _template(name: str) -> Template:
    return Template((_FOLDER / f"{name}.html").read_text(encoding="utf-8"))
