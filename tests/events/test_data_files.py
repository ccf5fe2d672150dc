"""Files that people write by hand: bounded, and refused with the place."""

from pathlib import Path

import pytest

from events.data_files import DataFiles
from events.shape import Shape


class Odd(ValueError):
    """What is wrong with the files of these tests."""


class Numbers(Shape):
    numbers: tuple[int, ...]


FILES = DataFiles(bytes_max=64, invalid=Odd)


def read(path: Path) -> Numbers:
    return FILES.shaped(Numbers, FILES.parse(FILES.read(path), name=path.name), name=path.name)


def test_a_file_of_the_most_bytes_is_read_and_one_of_more_is_not_even_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "numbers.yaml"
    path.write_bytes(b"numbers: [1, 2]".ljust(64))
    assert read(path) == Numbers(numbers=(1, 2))

    path.write_bytes(b"numbers: [1, 2]".ljust(10_000))
    assert len(FILES.read(path)) == 65
    with pytest.raises(Odd, match=r"numbers\.yaml: more than 64 bytes"):
        read(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"numbers: [1", "not YAML"),
        (b"\xff\xfe\x00", "not YAML"),
        (b"!!python/object/apply:os.getcwd []", "not YAML"),
        (b"", "numbers.yaml: "),
        (b"numbers: [x]", r"numbers\.0"),
        (b"numbers: []\nsurprise: 1", "Extra inputs"),
    ],
)
def test_what_is_wrong_is_told_with_the_place_and_by_the_error_of_its_kind(
    content: bytes, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "numbers.yaml"
    path.write_bytes(content)

    with pytest.raises(Odd, match=problem):
        read(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Odd, match=r"none\.yaml: No such file"):
        FILES.read(tmp_path / "none.yaml")


@pytest.mark.parametrize("opening", ["[", "- "])
def test_lists_that_lie_too_deep_are_refused(opening: str) -> None:
    deep = DataFiles(bytes_max=1 << 20, invalid=Odd)

    with pytest.raises(Odd, match="not YAML"):
        deep.parse((opening * 500_000).encode(), name="deep.yaml")
