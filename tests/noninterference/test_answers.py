"""Where a purpose is refused, what somebody did changes no byte of an answer: 10,000 pairs, and fields on their own."""

import pytest

from tests.noninterference.harness import compared

ANSWERS = 10_000
FIELDS = 1_000
SLICES = 10


def slices(pairs: int) -> list[object]:
    """The numbers of the pairs in equal slices; all are left to `make test`, and the first may tell of mutants."""
    size = pairs // SLICES
    return [
        pytest.param(
            range(place * size, (place + 1) * size),
            marks=pytest.mark.long if place else pytest.mark.thorough,
            id=str(place),
        )
        for place in range(SLICES)
    ]


@pytest.mark.parametrize("numbers", slices(ANSWERS))
def test_nothing_a_person_did_changes_an_answer_where_suggestions_may_not_be_personal(numbers: range) -> None:
    found = compared("answers", numbers)

    assert not found.differing, found.text()
    assert found.compared == dict.fromkeys(
        ("own answer", "own receipt", "others' answer", "others' receipt"), len(numbers)
    )


@pytest.mark.parametrize("numbers", slices(FIELDS))
def test_fields_of_a_closed_purpose_change_neither_an_answer_nor_a_card(numbers: range) -> None:
    found = compared("fields", numbers)

    assert not found.differing, found.text()
    assert found.compared["own card"] == found.compared["own answer"] == len(numbers)
