"""The measurement of the officer's questions at a tiny size: that every question is asked to its end."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.officer import main
from benchmarks.results import Results

pytestmark = pytest.mark.long


def test_every_question_is_asked_and_told(tmp_path: Path) -> None:
    main(acts=2000, asked=5, results=tmp_path)

    [file] = tmp_path.glob("officer*.json")
    results = msgspec.json.decode(file.read_bytes(), type=Results)
    assert "permitted at T, both senses" in {run.get("what") for run in results.runs}
