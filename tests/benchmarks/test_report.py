"""The page of results: what was measured stands between the marks, what was written by hand stays."""

from pathlib import Path

import pytest

from benchmarks.pictures import draw_rankers
from benchmarks.report import NothingMeasured, main, with_results
from benchmarks.results import Results, keep, machine, open_results
from benchmarks.tables import markdown, pipeline_page, ratio_to
from tests.servers import ROOT


def run(contender: str, number: int, rate: float) -> dict[str, object]:
    figures = {"events": 10, "client_us": 20.0, "store_us": 6.0, "rss_mib": 100.0, "load_average": 0.1}
    return {"contender": contender, "round": number, "events_per_s": rate, "store": "Valkey 9", **figures}


def pipeline(*runs: dict[str, object]) -> Results:
    return Results(experiment="pipeline", settings={"fsync": "always"}, machine=machine(), runs=list(runs))


TWO_ROUNDS = pipeline(run("ours", 1, 90), run("raw loop", 1, 100), run("ours", 2, 70), run("raw loop", 2, 100))


def test_a_ratio_is_taken_round_by_round() -> None:
    ratio = ratio_to(TWO_ROUNDS, "raw loop")
    assert ratio is not None
    assert ratio == pytest.approx((0.8, 0.7, 0.9))


def test_a_bar_that_holds_and_a_goal_that_does_not_are_both_told() -> None:
    assert "| 0.80x | 0.8x met | 1x missed |" in markdown(pipeline_page(TWO_ROUNDS))


def test_the_page_keeps_its_words_and_takes_the_figures() -> None:
    text = (
        "Words.\n<!-- results: pipeline-always -->\nold\n<!-- end -->\nMore.\n<!-- results: other -->\n<!-- end -->\n"
    )
    page = with_results(text, {"pipeline-always": TWO_ROUNDS})
    assert page.startswith("Words.\n")
    assert "old" not in page
    assert "raw loop" in page
    assert "\nMore.\n<!-- results: other -->\nNot measured yet.\n<!-- end -->\n" in page
    assert with_results(page, {"pipeline-always": TWO_ROUNDS}) == page


def test_the_report_draws_what_it_tells(tmp_path: Path) -> None:
    keep(TWO_ROUNDS, tmp_path / "pipeline-always.json")
    page = tmp_path / "speed.md"
    page.write_text((ROOT / "docs" / "explanation" / "speed.md").read_text())
    main(results=tmp_path, page=page, pictures=tmp_path)
    assert "| raw loop | 100 |" in page.read_text()
    first = (tmp_path / "speed-rates.svg").read_bytes()
    assert b"raw loop" in first
    main(results=tmp_path, page=page, pictures=tmp_path)
    assert (tmp_path / "speed-rates.svg").read_bytes() == first


def ranked(task: str, part: str, ndcg: float) -> dict[str, object]:
    return {"task": task, "part": part, "ndcg": ndcg, "ndcg_low": ndcg - 0.01, "ndcg_high": ndcg + 0.01, "round": 1}


def test_rankers_are_drawn_task_by_task(tmp_path: Path) -> None:
    runs = [ranked(task, part, 0.5) for task in ("repeat", "new") for part in ("popularity", "served")]
    told = Results(experiment="recommender", settings={"data": "olist"}, machine=machine(), runs=runs)
    draw_rankers(told, tmp_path / "rankers.svg")
    drawn = (tmp_path / "rankers.svg").read_text()
    assert drawn.count("popularity") == drawn.count("served") == 2


def test_a_report_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NothingMeasured):
        main(results=tmp_path, page=tmp_path / "speed.md", pictures=tmp_path)


def test_a_measurement_that_was_stopped_goes_on_under_the_same_settings_only(tmp_path: Path) -> None:
    path = tmp_path / "pipeline-always.json"
    keep(TWO_ROUNDS, path)
    same = open_results(path, experiment="pipeline", settings={"fsync": "always"}, fresh=False)
    assert len(same.runs) == 4
    other = open_results(path, experiment="pipeline", settings={"fsync": "everysec"}, fresh=False)
    again = open_results(path, experiment="pipeline", settings={"fsync": "always"}, fresh=True)
    assert (other.runs, again.runs) == ([], [])
