"""A browser without script: follows links, submits forms as they stand in a page, and counts what that took."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx

from tests.api.world import World


@dataclass
class Button:
    """A button that submits: the words on it, and the fields its form sends with it."""

    words: str
    action: str
    said: dict[str, str]


@dataclass
class Page:
    """What a page holds that tests ask for."""

    text: str = ""
    language: str = ""
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)

    def button(self, *, say: str, purpose: str | None = None) -> Button:
        [found] = [each for each in self.buttons if each.said.get("say") == say and each.said.get("purpose") == purpose]
        return found

    def says_no_to(self, purpose: str) -> Button:
        [found] = [
            each
            for each in self.buttons
            if each.said.get("purpose") == purpose and each.said["say"] in {"refused", "withdrawn"}
        ]
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._action: str | None = None
        self._hidden: dict[str, str] = {}
        self._button: Button | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.page.tags.append((tag, given))
        if tag == "html":
            self.page.language = given["lang"]
        elif tag == "form":
            assert given["method"] == "post"
            self._action, self._hidden = given["action"], {}
        elif tag == "input":
            self._hidden[given["name"]] = given["value"]
        elif tag == "button":
            assert self._action is not None, "a button outside a form does nothing without script"
            own = {given["name"]: given["value"]} if "name" in given else {}
            self._button = Button("", self._action, {**self._hidden, **own})
            self.page.buttons.append(self._button)

    def handle_endtag(self, tag: str) -> None:
        if tag == "button":
            self._button = None
        elif tag == "form":
            self._action = None

    def handle_data(self, data: str) -> None:
        self.page.text += data
        if self._button is not None:
            self._button.words += data


def read(text: str) -> Page:
    """A page as a browser reads it."""
    reader = _Reader()
    reader.feed(text)
    return reader.page


class Browser:
    """Somebody with a link. `requests` counts what went to the server, redirects too."""

    def __init__(self, world: World, url: str, *, language: str = "en") -> None:
        self.world = world
        self.url = url
        self.language = language
        self.requests = 0
        self.answer = httpx.Response(0)

    async def open(self, url: str | None = None) -> Page:
        return await self._ask("GET", urljoin(self.url, url or ""))

    async def press(self, button: Button) -> Page:
        return await self._ask("POST", urljoin(self.url, button.action), data=button.said)

    async def _ask(self, method: str, url: str, **said: dict[str, str]) -> Page:
        split = urlsplit(url)
        path = split.path + (f"?{split.query}" if split.query else "")
        self.requests += 1
        self.answer = await self.world.ask(method, path, key=None, headers={"Accept-Language": self.language}, **said)
        self.url = url
        if self.answer.status_code == 303:
            return await self.open(self.answer.headers["location"])
        return read(self.answer.text)
