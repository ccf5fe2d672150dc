"""Where a channel is refused, what somebody did changes no decision about one occasion, no message and no claim."""

import pytest

from tests.noninterference.harness import compared
from tests.noninterference.test_answers import slices

MESSAGES = 1_000


@pytest.mark.parametrize("numbers", slices(MESSAGES))
def test_nothing_a_person_did_changes_what_is_sent_where_messages_are_refused(numbers: range) -> None:
    found = compared("messages", numbers)

    assert not found.differing, found.text()
    assert found.compared["own messages"] == found.compared["others' messages"] == len(numbers)
