"""A facet as bytes: what stands in stores is read for ever, and what this program does not know it refuses."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from consent.purposes import FEEDBACK, PROFILE, PURPOSES, SENSITIVE
from consent.state import GRANTS_MAX, Asked, Cause, Form, Grant, No, PurposeState
from events.fact import Fact
from profiles import facet as shapes
from profiles.codec import LIFTS, FacetUnreadable, decode_facet, encode_facet, encode_facets
from profiles.compression import CONTENT_MAX, compress, decompress
from profiles.facet import (
    CELLS_MAX,
    FACET_FORMAT,
    LINES_MAX,
    TEXTS_MAX,
    Case,
    Cell,
    Edge,
    Facet,
    FeedbackSection,
    Line,
    LinkAct,
    Opened,
    Order,
    Placed,
    Relation,
    ServiceSection,
    Sum,
    Words,
)
from profiles.fold import EDGES_MAX, KNOWN_MAX, RECORDS_MAX, fold
from profiles.store import CommitTooHeavy
from tests.builders import DAY, NOW, complaint, consent, fact, linked, money

HERE: Final = Path(__file__).parent
KEY: Final = b"\xff" * 8
FORMAT_PAGE: Final = HERE / f"facet_format_{FACET_FORMAT}.txt"


def said() -> list[Fact]:
    """One life that leaves something in every section."""
    line = {"item": "milk", "category": "dairy", "quantity": 2, "amount": 199}
    return [
        *(
            fact("consent.given", purpose=purpose, at=NOW - DAY, event_id=purpose)
            for purpose in (PROFILE, SENSITIVE, FEEDBACK)
        ),
        consent("refused", "model.train", at=NOW - DAY, event_id="no"),
        fact("transaction.purchased", event_id="e-1", order_id="o-1", total=money(398), lines=[line], channel="app"),
        fact("service.delivery_step", event_id="e-2", at=NOW + 1, order_id="o-1", step="delivered"),
        fact("transaction.refunded", event_id="e-3", at=NOW + 2, order_id="o-1", refund=money(99)),
        complaint("case-1", event_id="e-4", at=NOW + 3, text="too slow", topics=["delivery"]),
        fact("service.case_replied", event_id="e-5", at=NOW + 4, case_id="case-1"),
        fact("feedback.suggestion_presented", event_id="e-6", at=NOW + 5, decision="d-1", service="loan"),
        fact("outreach.sent", event_id="e-7", at=NOW + 6, outreach="m-1", trigger="care", channel="email"),
        fact(
            "identity.described",
            event_id="e-8",
            at=NOW + 7,
            attributes={"hobby": "sailing", "health": "good", "country": "DE", "minor": False},
        ),
        linked("app:42", "card:7", at=NOW + 8, event_id="e-9")[0],
        fact("identity.related", event_id="e-10", at=NOW + 9, other="machine:9", kind="owns"),
    ]


def golden(version: int) -> bytes:
    return bytes.fromhex((HERE / f"facet_format_{version}.hex").read_text(encoding="ascii"))


def fields(facet: Facet) -> list[Any]:
    """The array of a facet as it is compressed."""
    decoded: list[Any] = msgspec.msgpack.decode(decompress(encode_facet(facet)))
    return decoded


def blob_of(fields: Any) -> bytes:
    return compress(msgspec.msgpack.encode(fields))


def folded() -> Facet:
    facet = Facet()
    for each in said():
        facet = fold(facet, each).facet
    return facet


def described(kind: type[msgspec.Struct]) -> str:
    names = (f"{field.name}: {field.type}" for field in msgspec.structs.fields(kind))
    return f"{kind.__name__}({', '.join(names)})".replace("profiles.facet.", "").replace("consent.state.", "")


def stored_shapes() -> list[type[msgspec.Struct]]:
    kept = [each for each in vars(shapes).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    return sorted({*kept, PurposeState, Asked, Grant, No}, key=lambda kind: kind.__name__)


def test_no_field_of_a_facet_changes_without_another_format() -> None:
    now = "\n".join(map(described, stored_shapes())) + "\n"
    assert now == FORMAT_PAGE.read_text(encoding="utf-8"), (
        f"stores hold facets of format {FACET_FORMAT}: raise FACET_FORMAT, add the step to profiles.codec.LIFTS, and"
        " keep this page beside one for the new format"
    )


def test_there_is_a_golden_facet_of_every_format_and_a_step_from_each_but_the_last() -> None:
    formats = set(range(1, FACET_FORMAT + 1))
    assert {int(path.stem.rpartition("_")[2]) for path in HERE.glob("facet_format_*.hex")} == formats
    assert LIFTS.keys() == formats - {FACET_FORMAT}


@pytest.mark.parametrize("version", range(1, FACET_FORMAT + 1))
def test_a_facet_written_long_ago_is_read_as_it_was(version: int) -> None:
    assert decode_facet(golden(version)) == folded()


def test_what_is_compressed_is_written_as_it_was() -> None:
    # The compressor itself may find better ways in another release; the array may not change.
    assert decompress(encode_facet(folded())) == decompress(golden(FACET_FORMAT))


@pytest.mark.parametrize("facet", [[2], [2, b""], [2, b"", {}], [2, b"", {"x": []}], [2, b"", {"x": [[], None]}]])
def test_a_short_facet_of_an_older_format_is_lifted_too(facet: list[Any]) -> None:
    assert decode_facet(blob_of(facet)).format == FACET_FORMAT


@pytest.mark.parametrize(("was", "cause"), [(False, Cause.REFUSED), (True, Cause.WITHDRAWN)])
def test_an_older_no_is_still_told_from_a_withdrawal(was: bool, cause: Cause) -> None:  # noqa: FBT001
    lifted = decode_facet(blob_of([2, b"", {PROFILE: [[], [5, 6, KEY, was], 6]}]))
    assert lifted.consents == {PROFILE: PurposeState((), No(5, 6, KEY, cause), 6)}


@pytest.mark.parametrize("no", [[5], [5, 6, KEY], [5, 6, KEY, "yes"], [5, 6, KEY, 9], "no", 1])
def test_an_older_no_that_is_damaged_makes_the_facet_unreadable(no: Any) -> None:
    with pytest.raises(FacetUnreadable):
        decode_facet(blob_of([2, b"", {PROFILE: [[], no, 6]}]))


@pytest.mark.parametrize("form", [-1, 5, 99])
def test_a_form_of_consent_that_is_not_known_makes_the_facet_unreadable(form: int) -> None:
    grant = [5, 6, 0, KEY, "recorded", "", form]
    with pytest.raises(FacetUnreadable):
        decode_facet(blob_of([3, b"", {PROFILE: [[grant], None, -1]}]))


def test_fields_added_at_the_end_have_their_defaults_in_older_blobs() -> None:
    older = Facet(*msgspec.structs.astuple(folded())[:4])
    assert decode_facet(blob_of(fields(folded())[:4])) == older


@pytest.mark.parametrize("write", [blob_of, msgspec.msgpack.encode], ids=["compressed", "bare"])
@pytest.mark.parametrize("version", [FACET_FORMAT + 1, 0, -1, 2**40])
def test_a_format_that_is_not_known_is_refused_by_its_number(version: int, write: Callable[[Any], bytes]) -> None:
    _, *rest = fields(folded())
    for more in ([], ["a field of tomorrow"]):
        with pytest.raises(FacetUnreadable, match=f"format {version} is not known"):
            decode_facet(write([version, *rest, *more]))


def test_a_facet_under_a_dictionary_of_tomorrow_is_refused_by_its_number() -> None:
    tomorrow = zstandard.train_dictionary(
        1024, [encode_facet(folded())[: 100 + n] for n in range(400)], dict_id=FACET_FORMAT + 1
    )
    blob = zstandard.ZstdCompressor(dict_data=tomorrow).compress(msgspec.msgpack.encode(folded()))
    with pytest.raises(FacetUnreadable, match=f"format {FACET_FORMAT + 1} is not known"):
        decode_facet(blob)


def test_a_field_that_is_not_known_is_refused_wherever_it_stands_and_never_dropped() -> None:
    whole = fields(folded())
    places = list(arrays(whole))
    assert len(places) > 30
    for place in places:
        place.append("a field of tomorrow")
        with pytest.raises(FacetUnreadable):
            decode_facet(blob_of(whole))
        place.pop()
    assert decode_facet(blob_of(whole)) == folded()


@pytest.mark.parametrize("content", [b"", b"\x90", b"\xc0", b"x" * 1000])
def test_a_sound_frame_around_something_else_is_unreadable(content: bytes) -> None:
    with pytest.raises(FacetUnreadable):
        decode_facet(compress(content))


def arrays(value: Any) -> Iterator[list[Any]]:
    """Every array of a decoded facet to which one more text would not be one more topic."""
    if isinstance(value, list) and not (value and all(isinstance(each, str) for each in value)):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from arrays(inner)


@given(st.binary(max_size=80) | st.binary(max_size=80).map(lambda more: encode_facet(folded())[:40] + more))
def test_any_bytes_are_a_facet_or_unreadable(blob: bytes) -> None:
    with suppress(FacetUnreadable):
        assert isinstance(decode_facet(blob), Facet)


def test_text_that_is_not_utf8_is_unreadable() -> None:
    array = decompress(encode_facet(folded())).replace(b"sailing", b"\xff\xfe\xfd\xff\xff\xff\xff")
    with pytest.raises(FacetUnreadable):
        decode_facet(compress(array))


def test_facets_of_one_commit_are_bounded_together_and_one_alone_always_fits() -> None:
    blob = encode_facet(folded())
    assert encode_facets([folded()] * 3, bytes_max=3 * len(blob)) == [blob] * 3
    assert encode_facets([folded()], bytes_max=1) == [blob]
    with pytest.raises(CommitTooHeavy, match="3 facets"):
        encode_facets([folded()] * 4, bytes_max=3 * len(blob) - 1)


HEAVIEST_MB: Final = 30
"""As docs/reference/redis-format.md says."""

BIG: Final = 2**53
CODE: Final = "c" * 64
ID: Final = "i" * 96
PSEUDONYM_SIZED: Final = "n" * 51


def cell(value: Any = None) -> Cell[Any]:
    return Cell(BIG, KEY, value)


def heaviest() -> Facet:
    """Every record as heavy as events can make it: orders weigh most of what is counted with them."""
    lines = (Line(ID, CODE, BIG, BIG),) * LINES_MAX
    order = Order(
        *(cell(Placed(BIG, "EUR", lines, CODE)), cell(BIG), *(cell(),) * 5, cell(CODE)),
        refunds=(cell(Sum(BIG, "EUR")),) * CELLS_MAX,
    )
    opened = cell(Opened((CODE,) * 16, "urgent", ID, CODE))
    codes = (cell(CODE),) * CELLS_MAX
    case = Case(opened, opened, (cell(),) * CELLS_MAX, codes, codes, (cell(),) * CELLS_MAX)
    words = Words(cell("\U0001f642" * (2 * 8000 + 1)))
    act = cell(LinkAct("verified", CODE, BIG))
    grants = (Grant(BIG, BIG, BIG, KEY, "imported", CODE, Form.WRITTEN, by_guardian=True, renewed=True),) * GRANTS_MAX
    said = PurposeState(grants, No(BIG, BIG, KEY, Cause.WITHDRAWN), BIG, Asked(BIG, BIG, KEY, deferred=True))
    return Facet(
        recent=b"\xff" * 12 * KNOWN_MAX,
        consents=dict.fromkeys(PURPOSES, said),
        edges={f"{PSEUDONYM_SIZED}{number}": Edge((act,) * CELLS_MAX) for number in range(EDGES_MAX)},
        relations={
            f"contact_of from {PSEUDONYM_SIZED}{number}": Relation(cell(value=False)) for number in range(EDGES_MAX)
        },
        service=ServiceSection(
            orders={f"{ID}{number}": order for number in range(RECORDS_MAX)},
            cases={f"{ID}{number}": case for number in range(RECORDS_MAX)},
        ),
        feedback=FeedbackSection(words={f"survey {ID}{number}": words for number in range(TEXTS_MAX)}),
    )


def test_the_heaviest_facet_weighs_no_more_than_the_page_says() -> None:
    weight = len(decompress(encode_facet(heaviest())))
    page = Path("docs/reference/redis-format.md").read_text(encoding="utf-8")
    assert HEAVIEST_MB - 5 < weight / 1e6 < HEAVIEST_MB < CONTENT_MAX / 1e6
    assert decode_facet(encode_facet(heaviest())) == heaviest()
    assert f"at most {HEAVIEST_MB} MB" in page
