"""The harness: so many numbered pairs of one kind, each compared byte for byte in every channel it has."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.noninterference.artifacts import drawn_training_pair
from tests.noninterference.messages import drawn_message_pair
from tests.noninterference.pairs import CHANNELS, Answers, Pair, answers, card, drawn_field_pair, drawn_pair
from tests.noninterference.people import People
from tests.noninterference.processes import drawn_process_pair

Both = tuple[str, Answers, Answers]
"""What the two worlds differ in, and what came out of each."""


@dataclass
class Findings:
    """How many pairs and comparisons there were, and by channel and difference which numbers gave other bytes."""

    pairs: int = 0
    compared: Counter[str] = field(default_factory=Counter)
    differing: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, name: str, difference: str, one: Answers, other: Answers) -> None:
        """Compare what two worlds gave."""
        self.pairs += 1
        for channel in sorted(one.keys() | other.keys()):
            self.compared[channel] += 1
            if one.get(channel) != other.get(channel):
                self.differing.setdefault((channel, difference), []).append(name)

    def text(self) -> str:
        """A line per channel, and one per kind of difference found."""
        differing: Counter[str] = Counter()
        for (channel, _), names in self.differing.items():
            differing[channel] += len(names)
        lines = [
            f"{count:>9} {channel}: {differing[channel]} differ" for channel, count in sorted(self.compared.items())
        ]
        found = [f"  {channel} by {why}: {', '.join(names[:5])}" for (channel, why), names in self.differing.items()]
        return "\n".join([f"{self.pairs:>9} pairs", *lines, *found])


def compared(kind: str, numbers: Iterable[int], *, seed: int = 0) -> Findings:
    """The pairs of a kind with these numbers; the same seed and number are the same pair in every process."""
    findings = Findings()
    for number in numbers:
        name = f"{kind} {seed} {number}"
        findings.add(name, *KINDS[kind](Random(name)))
    return findings


def _answer(chance: Random) -> Both:
    return _answered(chance, drawn_pair(chance), answers)


def _fields(chance: Random) -> Both:
    def shown(people: People, *, channel: str | None, k: int) -> Answers:
        return {**answers(people, channel=channel, k=k), **card(people)}

    return _answered(chance, drawn_field_pair(chance), shown)


def _answered(chance: Random, pair: Pair, ask: Callable[..., Answers]) -> Both:
    channel, k = chance.choice(CHANNELS), chance.randrange(1, 9)
    one, other = (ask(people, channel=channel, k=k) for people in (pair.one, pair.other))
    return f"{pair.difference}, {pair.shared.refusal}, {pair.tie}", one, other


def _artifact(chance: Random) -> Both:
    pair = drawn_training_pair(chance)
    return pair.difference, _files(pair.one), _files(pair.other)


def _files(files: Mapping[str, bytes]) -> Answers:
    return {f"artifact {name}": content for name, content in files.items()}


KINDS: Final[Mapping[str, Callable[[Random], Both]]] = {
    "answers": _answer,
    "fields": _fields,
    "messages": drawn_message_pair,
    "artifacts": _artifact,
    "processes": drawn_process_pair,
}
"""Kind of pair -> how one is drawn and what both worlds answer."""
