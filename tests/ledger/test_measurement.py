"""The measurement of the ledger at a tiny size: that it runs to its end, and that its page tells every step."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.ledger import STEPS, main
from benchmarks.report import with_results
from benchmarks.results import Results

pytestmark = pytest.mark.long


def test_every_step_is_measured_and_told(tmp_path: Path) -> None:
    main(entries=2000, rounds=1, again=False, results=tmp_path)

    results = msgspec.json.decode((tmp_path / "ledger.json").read_bytes(), type=Results)
    assert [run["step"] for run in results.runs] == ["put down", *STEPS]
    page = with_results("<!-- results: ledger -->\n<!-- end -->\n", {"ledger": results})
    assert all(f"| {step} |" in page for step in STEPS)
    assert "Medians" not in page, "one round has none"
