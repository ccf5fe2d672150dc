"""A small client of the API for commands: where it is and its keys stand in the ready file of `rapport up`."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer
from pydantic import BaseModel, TypeAdapter, ValidationError

from api.auth import Role
from commands.settings import READY_FILE, settings_of
from consent.door import RefusalReason
from events.shape import IdentityText

PATIENCE_S: Final = 30.0
"""How long something that is not folded yet is asked for again."""
RETRY_MAX_S: Final = 2.0
HELD_S: Final = 0.1
"""How long a no on its way is left before it is looked for again."""

Document = dict[str, Any]

ReadyFileOption = Annotated[
    Path | None, typer.Option("--ready-file", help="file of a running `rapport up`; by default the data folder's")
]
DataOption = Annotated[str | None, typer.Option("--data", help="data folder of the running `rapport up`")]
_identities: Final = TypeAdapter[str](IdentityText)


def identity_of(text: str) -> str:
    """The text, if it has the form of an identity; typer.BadParameter otherwise."""
    try:
        return _identities.validate_python(text)
    except ValidationError:
        raise typer.BadParameter("an identity is written namespace:value, as in app:42") from None


IdentityArgument = Annotated[
    str, typer.Argument(metavar="IDENTITY", help="one identity of the person, as in app:42", callback=identity_of)
]


class ApiUnusable(Exception):
    """The API is not there, or did not do what was asked; the text says why and what to do."""


class Ready(BaseModel):
    """A running installation: the URL of its API, and one key per role."""

    api: str
    keys: dict[Role, str]


@dataclass(frozen=True, slots=True)
class Client:
    """Asks the API; ApiUnusable says why there is no answer. What is not folded yet is waited for, bounded."""

    http: httpx.Client
    keys: Mapping[Role, str] = field(repr=False)
    patience_s: float = PATIENCE_S

    def ref(self, identity: str, *, role: Role = Role.AGENT) -> str:
        """The reference of a clear identity."""
        return str(self.ask("POST", "/v1/customers/lookup", role=role, body={"identity": identity})["ref"])

    def card(self, ref: str, *, after: str | None = None) -> Document:
        """The card of a person."""
        return self.ask("GET", f"/v1/customers/{ref}", params={"after": after})

    def suggestions(
        self,
        ref: str,
        *,
        k: int = 3,
        channel: str | None = None,
        intent: str | None = None,
        after: str | None = None,
    ) -> Document:
        """What to offer next, and why."""
        params = {"k": str(k), "channel": channel, "intent": intent, "after": after}
        return self.ask("GET", f"/v1/customers/{ref}/suggestions", params=params)

    def consents(self, ref: str, *, role: Role = Role.PRIVACY, after: str | None = None) -> Document:
        """What stands for each purpose, and why; after a token once no earlier no is on its way any more, either.

        A no is let go of a moment after it was folded. Until then it would hide a yes that followed it.
        """
        deadline = time.monotonic() + self.patience_s
        while True:
            found: Document = self.ask("GET", f"/v1/customers/{ref}/consents", role=role, params={"after": after})
            standing: Document = found["consents"]
            is_held = any(each["because"] == RefusalReason.HELD for each in standing.values())
            if after is None or not is_held or time.monotonic() > deadline:
                return standing
            time.sleep(HELD_S)

    def act(self, ref: str, act: str, purpose: str, *, said: Mapping[str, str] | None = None) -> Document:
        """Record what the person said about a purpose; `said` holds through whom, by which channel, on which notice."""
        body = {"act": act, "purpose": purpose, **(said or {})}
        return self.ask("POST", f"/v1/customers/{ref}/consents", body=body)

    def notices(self) -> Document:
        """What to tell a person about each purpose."""
        return dict(self.ask("GET", "/v1/notices")["notices"])

    def preferences_link(self, ref: str) -> Document:
        """A link to the person's preferences, to be given to them."""
        return self.ask("POST", f"/v1/customers/{ref}/preferences")

    def ask(
        self,
        method: str,
        path: str,
        *,
        role: Role = Role.AGENT,
        params: Mapping[str, str | None] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Document:
        """One request under the key of a role, again where the answer says that a moment later may help."""
        deadline = time.monotonic() + self.patience_s
        told = {**(headers or {}), "Authorization": f"Bearer {self.keys[role]}"}
        response = self._answer(method, path, headers=told, params=params, body=body)
        while response.status_code == httpx.codes.SERVICE_UNAVAILABLE and time.monotonic() < deadline:
            time.sleep(min(_seconds(response.headers.get("Retry-After")), RETRY_MAX_S))
            response = self._answer(method, path, headers=told, params=params, body=body)
        if response.is_success:
            return dict(response.json())
        raise ApiUnusable(_problem(response))

    def _answer(
        self, method: str, path: str, *, headers: dict[str, str], params: Mapping[str, str | None] | None, body: Any
    ) -> httpx.Response:
        asked = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            return self.http.request(method, path, params=asked, headers=headers, json=body)
        except httpx.HTTPError as error:
            why = f"the API at {self.http.base_url} does not answer ({type(error).__name__})"
            raise ApiUnusable(f"{why}; is `rapport up` still running?") from error


@contextmanager
def client_of(*, data: str | None, ready_file: Path | None, patience_s: float = PATIENCE_S) -> Iterator[Client]:
    """A client of the installation that runs on the data folder, or that the ready file names."""
    ready = read_ready(ready_file or settings_of(data=data).data / READY_FILE)
    with httpx.Client(base_url=ready.api, timeout=patience_s) as http:
        yield Client(http, ready.keys, patience_s)


def read_ready(path: Path) -> Ready:
    """What `rapport up` wrote once it was ready. ApiUnusable."""
    try:
        return Ready.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ApiUnusable(f"{path} is not there: start `rapport up`, or name its data folder with --data") from None
    except (OSError, ValidationError):
        raise ApiUnusable(f"{path} cannot be read as the ready file of `rapport up`") from None


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdigit() else 1.0


def _problem(response: httpx.Response) -> str:
    try:
        said = response.json()
    except ValueError:
        said = None
    if not isinstance(said, dict) or "title" not in said:
        return f"the API answered {response.status_code}"
    fields = "; ".join(f"{each['field']}: {each['problem']}" for each in said.get("errors", ()))
    return ": ".join(filter(None, (str(said["title"]), str(said.get("detail") or ""), fields)))
