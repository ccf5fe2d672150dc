"""`rapport tour`: one demo person, from no consent to a personal suggestion with its reason, and back again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from commands.client import Client, DataOption, Document, ReadyFileOption, client_of, identity_of
from commands.clock import now_ms
from commands.output import JsonOption, console, emit
from commands.show import suggestion_panel
from consent.purposes import PROFILE, SUGGEST

UNDECIDED: Final = "app:jon"
"""The person of the demo world who was never asked."""
CHANNEL: Final = "desk"
WALK_MS: Final = 5000
"""How long a walk takes at most, with some to spare."""
_PURPOSES: Final = (PROFILE, SUGGEST)


class TourBroken(Exception):
    """What was seen on the way is not what it should be; the text says where."""


def tour(
    identity: Annotated[
        str, typer.Argument(metavar="[IDENTITY]", help="whom to walk with", callback=identity_of)
    ] = UNDECIDED,
    *,
    data: DataOption = None,
    ready_file: ReadyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Walk one demo person through no consent, consent given, a personal suggestion with its reason, and withdrawal."""
    with client_of(data=data, ready_file=ready_file) as client:
        walk = Walk(client, identity, (lambda _text, _answer: None) if json else _shown)
        walk.run()
    if json:
        emit(walk.steps)


@dataclass
class Walk:
    """One walk. `steps` is what was seen, `tell` shows it to a person: words, and the answer they are about."""

    client: Client
    identity: str
    tell: Callable[[str, Document | None], None]
    steps: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> None:
        """From the beginning to the end; TourBroken and ApiUnusable where it cannot go on."""
        ref = self.client.ref(self.identity)
        self._meet(ref)
        if self.client.consents(ref)[SUGGEST]["allowed"]:
            self._say(ref, "withdrawn", (SUGGEST,))
            self.tell("They agreed on an earlier walk; to begin at the beginning that is taken back first.", None)
        self._wait_for_a_bucket(ref)
        before = self._ask(ref, "no consent", mode="general", after=None)
        self.tell("1. Nobody has their yes: what everyone may hear.", before)
        personal = self._ask(ref, "given", mode="personal", after=self._folded(ref, self._say(ref, "given", _PURPOSES)))
        self.tell(f"2. They say yes to {' and '.join(_PURPOSES)}: now it is about them, and says why.", personal)
        started = time.monotonic()
        withdrawn = self._say(ref, "withdrawn", (SUGGEST,))
        again = self._ask(ref, "withdrawn", mode="general", after=None)
        took_ms = round((time.monotonic() - started) * 1000)
        same = "the same answer as in the beginning, to the byte" if again == before else "what everyone may hear"
        self.tell(f"3. They take it back: {took_ms} ms later it is {same}.", again)
        self._prove(ref, after=withdrawn, took_ms=took_ms, same=again == before)

    def _wait_for_a_bucket(self, ref: str) -> None:
        """Answers hold until a moment they name; a walk across it would see another answer for that reason alone."""
        left_ms = int(self.client.suggestions(ref, channel=CHANNEL)["valid_until"]) - now_ms()
        if left_ms < WALK_MS:
            time.sleep(max(left_ms, 0) / 1000 + 0.1)

    def _meet(self, ref: str) -> None:
        card = self.client.card(ref)
        if not card["known"]:
            raise TourBroken(f"{self.identity} is not known here; `rapport demo load` brings the people of the tour")
        service = card["service"] or {"orders": (), "contacts": ()}
        seen = {"orders": len(service["orders"]), "contacts": len(service["contacts"])}
        self.steps.append({"step": "met", "identity": self.identity, **seen})
        about = f"{seen['orders']} orders and {seen['contacts']} contacts are known, as the contract needs"
        self.tell(f"This is {self.identity}: {about}.", None)

    def _say(self, ref: str, act: str, purposes: tuple[str, ...]) -> str | None:
        """Record an act about each purpose; the token of the last one."""
        token: str | None = None
        for purpose in purposes:
            self._folded(ref, token)
            token = self.client.act(ref, act, purpose)["after"]
        return token

    def _folded(self, ref: str, token: str | None) -> str | None:
        """The token, once what it stands for can be read, and no earlier no stands in its way."""
        if token is not None:
            self.client.consents(ref, after=token)
        return token

    def _ask(self, ref: str, step: str, *, mode: str, after: str | None) -> Document:
        answer = self.client.suggestions(ref, channel=CHANNEL, after=after)
        if answer["mode"] != mode:
            raise TourBroken(f"after “{step}” the answer should be {mode}, and it is {answer['mode']}")
        first = answer["suggestions"][0]
        reasons = [reason["text"]["en"] for reason in first["reasons"]]
        self.steps.append({"step": step, "mode": mode, "service": first["service"], "reasons": reasons})
        return answer

    def _prove(self, ref: str, *, after: str | None, took_ms: int, same: bool) -> None:
        standing = self.client.consents(ref, after=after)[SUGGEST]
        said = {"because": standing["because"], "withdrawn_after_ms": took_ms, "same_as_before": same}
        self.steps.append({"step": "proven", **said})
        self.tell(f"4. The privacy officer sees: {SUGGEST} is closed, because {standing['detail']}.", None)


def _shown(text: str, answer: Document | None) -> None:
    console.print(f"\n[bold]{escape(text)}[/]")
    if answer is not None:
        console.print(suggestion_panel(answer, title=f"{answer['mode']} suggestions"))
