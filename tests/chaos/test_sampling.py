import os

from tests.chaos.sampling import Sample, growths, looked_at, slope

MB = 2**20


def life(name: str, pid: int, *, minutes: int, mb_per_min: int) -> list[Sample]:
    return [
        Sample(name, pid, at * 30.0, (100 + mb_per_min * at // 2) * MB, 20 + at // 10) for at in range(minutes * 2 + 1)
    ]


def test_a_line_has_its_own_slope() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == 2
    assert slope([(1, 3)]) == 0


def test_growth_is_told_of_those_who_lived_long_enough() -> None:
    samples = life("old", 1, minutes=20, mb_per_min=4) + life("young", 2, minutes=2, mb_per_min=9)

    [growth] = growths(samples, lived_s=600)

    assert (growth.name, growth.lived_s, growth.resident_mb, growth.files) == ("old", 1200, 180, 24)
    assert (growth.mb_per_min, 0.1 < growth.files_per_min < 0.3) == (4, True)


def test_a_process_shows_its_memory_and_files() -> None:
    resident, files = looked_at(os.getpid())

    assert resident > MB
    assert files >= 3
