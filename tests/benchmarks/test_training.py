"""The measurement of a whole training at a tiny size: that it runs to its end and tells every step."""

from pathlib import Path

import pytest

from benchmarks import training

pytestmark = pytest.mark.long


def test_every_step_of_a_training_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- results: training -->\n<!-- end -->\n")

    training.main(people=300, takings=6, services=30, again=False, results=tmp_path, page=page)

    first_cells = [line.split(" | ")[0] for line in page.read_text().splitlines() if line.startswith("| ")]
    assert first_cells[2:] == [
        "| LightFM alone",
        "| reading",
        "| choosing",
        "| judging",
        "| serving",
        "| fitting",
        "| the whole training",
    ]
