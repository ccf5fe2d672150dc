"""Consents of another system: what its rows say as acts, by a mapping. Pure: no file, no clock.

A row that cannot be read as it stands is refused with a reason that never repeats what it holds. What becomes an event
has an id of its content alone, so a row imported again, wherever it stands by then, is the same event.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from consent.import_mapping import Acting, From, ImportMapping
from consent.purposes import PURPOSES
from consent.rules import Rules
from consent.tokens import can_be_left
from events.admission import AHEAD_MAX_MS
from events.fact import describe
from events.pseudonyms import IdentityInvalid, Pseudonyms, canonical, split_identity
from events.shape import format_time, parse_time
from events.vocabulary import BODIES

GRADE: Final = "imported"
"""The grade of evidence of whatever another system says."""
NOTHING_SAID: Final = "skip"
UNPROVEN: Final = "none"
ACTS: Final = ("given", "renewed", "refused", "withdrawn")
GRANTS: Final = ("given", "renewed")
CODES: Final = ("channel", "notice", "language", "method", "by", "jurisdiction", "branch", "agent")

Row = Mapping[str, str]


class Taken(NamedTuple):
    """An act that will be sent: what it is, and the CloudEvent that tells it."""

    act: str
    purpose: str
    event: dict[str, Any]


class Refused(NamedTuple):
    """Why a row's act is not sent; it repeats nothing of the row."""

    code: str
    detail: str


class Skipped(NamedTuple):
    """The row says nothing about it."""


Verdict = Taken | Refused | Skipped


class _Refusal(Exception):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Reads rows by a mapping. `now` (ms) is when they are received; `pseudonyms` keys the ids of events.

    `is_erased` tells of a pseudonym whether it was erased: such a person is taken up by what they do, not by a file.
    """

    mapping: ImportMapping
    pseudonyms: Pseudonyms
    rules: Rules
    now: int
    is_erased: Callable[[str], bool] = lambda _pseudonym: False

    def verdicts(self, row: Row) -> Iterator[Verdict]:
        """One verdict for each act of the mapping."""
        for acting in self.mapping.acts:
            try:
                yield self._read(acting, row)
            except _Refusal as refusal:
                yield Refused(*refusal.args)

    def _read(self, acting: Acting, row: Row) -> Verdict:
        act = _word(acting.act, row, "act")
        if act == NOTHING_SAID:
            return Skipped()
        if act not in ACTS:
            raise _Refusal("unknown_act", f"act: one of {', '.join(ACTS)}, or {NOTHING_SAID}")
        purpose = self._purpose(acting, row, act)
        at = self._time(acting.at, row, "at")
        if at > self.now + AHEAD_MAX_MS:
            raise _Refusal("bad_time", "at: more than 24 hours ahead")
        data = {
            "purpose": purpose,
            "evidence": GRADE,
            **self._codes(acting, row, purpose, act),
            **self._end(acting, row, act, at=at),
        }
        try:
            BODIES[f"consent.{act}"].model_validate(data)
        except ValidationError as error:
            raise _Refusal("bad_data", describe(error)) from None
        identity = self._identity(acting, row)
        if self.is_erased(self.pseudonyms.of(identity)):
            raise _Refusal("erased", "identity: it was erased here since, and is not taken up again by a file")
        return Taken(act, purpose, self._event(identity, act, at=at, data=data))

    def _purpose(self, acting: Acting, row: Row, act: str) -> str:
        purpose = _word(acting.purpose, row, "purpose")
        if purpose not in PURPOSES:
            raise _Refusal("unknown_purpose", "purpose: there is no such purpose")
        if not can_be_left(purpose):
            raise _Refusal("not_by_consent", "purpose: it rests on contract or law, not on what somebody says")
        if act not in GRANTS:
            return purpose
        proof = None if acting.evidence is None else _word(acting.evidence, row, "evidence")
        if proof == UNPROVEN:
            raise _Refusal("no_evidence", "evidence: nothing proves this yes")
        ground = self.rules.matrix.ground(purpose, None, at=self.now, known_at=self.now)
        if ground is None or GRADE not in ground.grades:
            raise _Refusal("evidence_not_enough", f"{purpose}: a yes may not rest on another system's word")
        return purpose

    def _codes(self, acting: Acting, row: Row, purpose: str, act: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in (*CODES, "form") if act in GRANTS else CODES:
            said = getattr(acting, name)
            text = None if said is None else _word(said, row, name, required=False)
            if text:
                found[name] = text
        told = self.rules.notices.by_ref(found.get("notice", ""))
        if told is not None and purpose in told.purposes:
            found["notice_hash"] = told.hash
        elif found.pop("notice", None) is not None and act in GRANTS:
            # A no counts whatever it names.
            raise _Refusal("unknown_notice", "notice: there is no such notice of this purpose")
        return found

    def _end(self, acting: Acting, row: Row, act: str, *, at: int) -> dict[str, str]:
        said = acting.expires_at
        if said is None or act not in GRANTS or not _word(said, row, "expires_at", required=False):
            return {}
        expires_at = self._time(said, row, "expires_at")
        if expires_at <= at:
            raise _Refusal("bad_time", "expires_at: it ends before it begins")
        return {"expires_at": format_time(expires_at)}

    def _time(self, said: From, row: Row, name: str) -> int:
        text = _word(said, row, name)
        try:
            # What stands in the mapping is RFC 3339, however the file writes its times.
            return parse_time(text) if text in (said.value, said.default) else self.mapping.times.read(text)
        except (ValueError, OverflowError):
            raise _Refusal("bad_time", f"{name}: not a time as the mapping says they are written") from None

    def _identity(self, acting: Acting, row: Row) -> str:
        text = _word(acting.identity, row, "identity")
        try:
            namespace, value = split_identity(text if acting.namespace is None else f"{acting.namespace}:{text}")
            return f"{namespace}:{canonical(namespace, value, region=self.pseudonyms.region)}"
        except IdentityInvalid as error:
            raise _Refusal("bad_identity", str(error)) from None

    def _event(self, identity: str, act: str, *, at: int, data: Mapping[str, str]) -> dict[str, Any]:
        # By way of the pseudonym, which is keyed: an id tells nobody whose address it was made of.
        said = json.dumps([self.pseudonyms.of(identity), act, at, data], sort_keys=True, ensure_ascii=False)
        return {
            "specversion": "1.0",
            "id": f"import-{hashlib.blake2b(said.encode(), digest_size=16).hexdigest()}",
            "source": self.mapping.source,
            "type": f"consent.{act}",
            "subject": identity,
            "time": format_time(at),
            "data": dict(data),
        }


def _word(said: From, row: Row, name: str, *, required: bool = True) -> str:
    if said.column is None:
        return said.value or ""
    cell = row.get(said.column, "").strip()
    if not cell and said.default is not None:
        return said.default
    if said.values is not None and (cell or required or "" in said.values):
        if cell not in said.values:
            raise _Refusal("unknown_word", f"{name}: a word the mapping gives no meaning to")
        cell = said.values[cell]
    if required and not cell:
        raise _Refusal("missing", f"{name}: nothing stands there")
    return cell
