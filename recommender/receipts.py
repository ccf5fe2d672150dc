"""Receipts: what an answer relied on, kept so that the same answer can be made again.

Beside names and versions a receipt holds the inputs themselves, sealed for the identity that was asked about: the
person as the recommender saw them, and the question. Without those bytes a decision can be told, but not recomputed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from profiles.compression import NotCompressed, compress, decompress
from recommender.artifact import Artifact
from recommender.canonical import content_hash
from recommender.catalogue import Catalogue
from recommender.decisions import Decision
from recommender.receipt_sealing import InputsUnreadable, Sealing
from recommender.suggest import suggest
from recommender.suggestion import Answer, SuggestionInput, bucket_start, render
from recommender.uplift import Arm, Experiment, arm_of, marked, model_only


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """All that `suggest` is asked beside who it is for and what the installation serves. `now` is ms."""

    channel: str | None
    k: int
    now: int
    intent: str | None = None

    def arguments(self) -> dict[str, Any]:
        """As `suggest` takes them."""
        return msgspec.structs.asdict(self)


class Inputs(msgspec.Struct, frozen=True, array_like=True):
    """What is sealed: the person as they were seen, and what was asked."""

    person: SuggestionInput
    question: Question


class Made(msgspec.Struct, frozen=True):
    """An answer, the bytes it is told in, and its receipt."""

    answer: Answer
    rendered: bytes
    receipt: Decision


_encoder: Final = msgspec.msgpack.Encoder(order="deterministic")
_decoder: Final = msgspec.msgpack.Decoder(Inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """Answers questions and writes down what each answer relied on.

    `policy` names the rules of the door, `code` the program; `key` (16 to 64 secret bytes) keys decision ids.
    Without an `experiment` everybody is served in full.
    """

    sealing: Sealing
    policy: str
    code: str
    key: bytes = field(repr=False)
    experiment: Experiment | None = None

    def answer(
        self,
        person: SuggestionInput,
        question: Question,
        *,
        identity: str,
        canonical: str,
        artifact: Artifact,
        catalogue: Catalogue,
    ) -> Made:
        """The answer for an identity (a pseudonym, `canonical` of its person) and its receipt.

        SuggestionRefused as `suggest` raises it.
        """
        # An answer holds for its bucket of the clock, so the bucket is all that its receipt says of the time.
        question = msgspec.structs.replace(question, now=bucket_start(question.now))
        arm = self._arm(person, canonical)
        if arm == "general":
            person = replace(person, personal=None)
        elif arm == "model":
            question, catalogue = msgspec.structs.replace(question, intent=None), model_only(catalogue)
        inputs = Inputs(person, question)
        group = "" if arm is None or self.experiment is None else f"{self.experiment.name}/{arm}"
        answer = answer_to(inputs, artifact=artifact, catalogue=catalogue, key=self.key, group=group)
        rendered = render(answer)
        receipt = Decision(
            id=answer.decision,
            identity=identity,
            services=tuple(suggestion.service for suggestion in answer.suggestions),
            channel=answer.channel,
            mode=answer.mode,
            model=answer.model,
            catalogue=answer.catalogue,
            valid_until=answer.valid_until,
            grounds=answer.grounds,
            policy=self.policy,
            code=self.code,
            answer=content_hash(rendered),
            inputs=self.sealing.seal(identity, compress(_encoder.encode(inputs))),
            arm=group,
        )
        return Made(answer, rendered, receipt)

    def _arm(self, person: SuggestionInput, canonical: str) -> Arm | None:
        """The person's group; None where nothing is tried, or where they do not let suggestions be personal."""
        if self.experiment is None or person.personal is None:
            return None
        suggestions = person.personal.service.suggestions
        return arm_of(suggestions, canonical=canonical, experiment=self.experiment, key=self.key)

    def inputs_of(self, receipt: Decision) -> Inputs:
        """What the answer was made from; InputsUnreadable, KeyGone."""
        if not receipt.inputs:
            raise InputsUnreadable("the receipt was written by a version that kept no inputs")
        return _decoded(self.sealing.open, receipt)


def answer_to(inputs: Inputs, *, artifact: Artifact, catalogue: Catalogue, key: bytes, group: str = "") -> Answer:
    """The answer that the inputs make, with the group (`name/group`) marked in its id; SuggestionRefused."""
    answer = suggest(inputs.person, artifact=artifact, catalogue=catalogue, key=key, **inputs.question.arguments())
    return msgspec.structs.replace(answer, decision=marked(answer.decision, group, key=key)) if group else answer


def _decoded(open_: Callable[[str, bytes], bytes], receipt: Decision) -> Inputs:
    try:
        return _decoder.decode(decompress(open_(receipt.identity, receipt.inputs)))
    except (NotCompressed, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputsUnreadable("the inputs are not what this program can read") from error
