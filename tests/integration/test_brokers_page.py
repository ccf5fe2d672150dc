"""The page about both brokers names tests that are there."""

import re

from tests.servers import ROOT

PAGE = (ROOT / "docs" / "reference" / "brokers.md").read_text()


def test_every_test_that_the_page_names_is_there() -> None:
    named = re.findall(r"`([a-z_/]+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 15
    missing = [name for file, name in named if f"def {name}(" not in (ROOT / "tests" / file).read_text()]
    assert missing == []
