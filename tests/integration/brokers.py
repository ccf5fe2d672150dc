"""On which brokers a test runs: on one, or on each."""

from typing import Final

import pytest

from tests.installation import named_cluster

BROKERS: Final = ("named",) if named_cluster() else ("embedded", "apache")
"""A cluster that is named stands in for both."""
on_each_broker = pytest.mark.parametrize("broker", BROKERS, indirect=True)
"""For what a broker can make a difference to; all else runs on the embedded one, or on the cluster that is named."""
