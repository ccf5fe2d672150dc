"""Good events and facts, damaged at random: each ends in a fact or a refusal, soon, and nothing is raised."""

import contextlib
import json
import time
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.admission import INTAKE, EventRefused
from events.examples import example
from events.fact import Fact, FactUndecodable, decode_fact, encode_fact
from events.position import Stream
from events.vocabulary import BODIES
from streams.frame import Record
from tests.api.world import World
from tests.bad_input.cases import EVENTS
from tests.builders import ADMISSION, NOW, TRUSTED, examples, facts
from tests.streams.dead_letter_world import INTAKE as INTAKE_TOPIC
from tests.streams.dead_letter_world import LetterWorld

SOON_S = 1.0
EXAMPLES: Final = [json.dumps(example(kind)).encode() for kind in sorted(BODIES)]
CORPUS: Final = EXAMPLES + [
    case.sent for cases in EVENTS.values() for case in cases if case.sent and len(case.sent) < 4000
]
PIECES: Final = [
    b'"',
    b"\\",
    b"[",
    b"]",
    b"{",
    b"}",
    b":",
    b",",
    b"0",
    b"-",
    b"1e400",
    b"NaN",
    b"null",
    b"\x00",
    b"\xff",
    b"\\ud83d",
]


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Something whole with pieces cut out, doubled, put in or replaced."""
    sent = draw(whole)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(sent)))
        end = min(len(sent), start + draw(st.integers(0, 16)))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.just(sent[start:end] * 2), st.binary(max_size=8)))
        sent = sent[:start] + piece + sent[end:]
    return sent


def soon(began: float) -> bool:
    return time.process_time() - began < SOON_S


@examples(300)
@given(damaged(st.sampled_from(CORPUS)))
def test_admission_answers_whatever_is_sent(sent: bytes) -> None:
    began = time.process_time()
    answer = ADMISSION.admit(sent, door=TRUSTED, received_at=NOW)

    assert soon(began)
    if not isinstance(answer, EventRefused):
        assert [decode_fact(encode_fact(one.fact)) for one in answer] == [one.fact for one in answer]


@examples(150)
@given(damaged(facts().map(encode_fact)))
def test_a_damaged_fact_is_a_fact_or_undecodable(value: bytes) -> None:
    began = time.process_time()
    with contextlib.suppress(FactUndecodable):
        assert isinstance(decode_fact(value), Fact)
    assert soon(began)


@examples(60)
@given(st.lists(damaged(st.sampled_from(CORPUS)), min_size=1, max_size=8))
async def test_a_worker_applies_or_sets_aside_whatever_is_sent(sent: list[bytes]) -> None:
    worker = LetterWorld()
    await worker.log.start()
    records = [Record(at, NOW, None, each) for at, each in enumerate(sent)]

    checkpoint = await worker.take(Stream("profiles", INTAKE_TOPIC, 0), records)
    admitted = worker.facts()
    await worker.work_on_facts()

    assert checkpoint is not None
    assert checkpoint.offset == len(sent)
    aside = {letter.offset for letter in await worker.kept() if letter.topic == INTAKE_TOPIC}
    taken = [ADMISSION.admit(each, door=INTAKE, received_at=NOW) for each in sent]
    assert aside == {at for at, answer in enumerate(taken) if isinstance(answer, EventRefused)}
    assert admitted == sum(len(answer) for answer in taken if not isinstance(answer, EventRefused))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(sent=damaged(st.sampled_from([*CORPUS, b"[" + b",".join(EXAMPLES[:3]) + b"]"])))
async def test_the_api_answers_whatever_is_sent(world: World, sent: bytes) -> None:
    answer = await world.ask(
        "POST",
        "/v1/events",
        key="ingest",
        content=sent,
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code in {202, 207, 400, 413, 422}


@pytest.mark.parametrize("path", ["/v1/customers/lookup", "/v1/customers/{ref}/consents", "/v1/outreach/x/sent"])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(
    said=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["identity", "act", "purpose", "at", "act_id", "x"]), inner, max_size=4)
        ),
        max_leaves=6,
    )
)
async def test_no_body_breaks_a_route(world: World, path: str, said: Any) -> None:
    answer = await world.ask(
        "POST",
        path.format(ref=await world.ref()),
        content=json.dumps(said).encode("utf-8", "surrogatepass"),
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code < 500
