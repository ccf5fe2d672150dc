"""Size is a place to look: what cannot be said shorter usually is two things."""

from tests.house.tree import product, suite

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 300


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{source.name}:{function.lineno} {function.name} has {lines} lines"
        for source in product() + suite()
        for function in source.functions()
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    ]
    assert not long, "Split off a step that has a name of its own:\n" + "\n".join(long)


def test_no_module_is_longer_than_it_can_be_read_in_one_go() -> None:
    long = [
        f"{source.name} has {lines} lines"
        for source in product()
        if (lines := source.text.count("\n")) > MODULE_LINES_MAX
    ]
    assert not long, "Move one of its nouns to a module named after it:\n" + "\n".join(long)
