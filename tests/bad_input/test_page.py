"""The page says what the tests show."""

from tests.bad_input.page import PAGE, page


def test_the_page_is_in_step_with_the_tests() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.bad_input.page"
