"""What others wrote does not run in the officer's spreadsheet."""

import pytest

from consent.csv_cells import harmless_cell


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_begins_like_a_formula(start: str) -> None:
    assert harmless_cell(f"{start}1+1") == f"'{start}1+1"


def test_plain_text_stays_as_it_is() -> None:
    assert harmless_cell("crm=2 + more") == "crm=2 + more"
    assert harmless_cell("") == ""
