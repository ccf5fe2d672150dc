"""What the tests take for granted of the people they send about."""

import pytest

from events.partitioning import partition_of
from events.pseudonyms import Pseudonyms
from tests.installation import PARTITIONS, SPREADING
from tests.integration.orders import PEOPLE


@pytest.mark.parametrize(("people", "partitions"), [(5, PARTITIONS), (PEOPLE, PARTITIONS), (PEOPLE, 2 * PARTITIONS)])
def test_every_partition_has_somebody(people: int, partitions: int) -> None:
    pseudonyms = Pseudonyms(bytes.fromhex(SPREADING), "DE")

    found = {partition_of(pseudonyms.of(f"app:{number}").encode(), partitions) for number in range(people)}

    assert found == set(range(partitions))
